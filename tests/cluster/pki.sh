# shellcheck shell=bash disable=SC2154 # variables of lib.sh
# The cluster's own certificate authority, certificates for everybody, and kubeconfigs. New with each `up`.

pki=$state/pki

issue() { # issue NAME SUBJECT USAGE [SUBJECT-ALTERNATIVE-NAMES]
    local name=$1 subject=$2 usage=$3 names=${4:-}
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$pki/$name.key" -subj "$subject" 2>/dev/null |
        openssl x509 -req -CA "$pki/ca.crt" -CAkey "$pki/ca.key" -days 365 -out "$pki/$name.crt" 2>/dev/null -extfile <(
            echo "basicConstraints = critical, CA:FALSE"
            echo "keyUsage = critical, digitalSignature"
            echo "extendedKeyUsage = $usage"
            [ -z "$names" ] || echo "subjectAltName = $names"
        )
}

# NODE_IP is in the server's certificate; the address one above it is not: there a client needs tls-server-name.
issue_all() { # issue_all NODE_IP
    mkdir -p "$pki"
    chmod 700 "$pki"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$pki/ca.key" -out "$pki/ca.crt" -days 365 \
        -subj "/CN=execq test cluster" -addext "basicConstraints = critical, CA:TRUE" -addext "keyUsage = critical, keyCertSign, cRLSign" 2>/dev/null
    openssl ecparam -name prime256v1 -genkey -noout -out "$pki/service-accounts.key"
    issue apiserver /CN=kube-apiserver serverAuth \
        "IP:$1, IP:127.0.0.1, IP:10.96.0.1, DNS:localhost, DNS:kubernetes, DNS:kubernetes.default, DNS:kubernetes.default.svc, DNS:kubernetes.default.svc.cluster.local, DNS:kubernetes.test"
    issue apiserver-kubelet-client /O=system:masters/CN=kube-apiserver-kubelet-client clientAuth
    issue admin /O=system:masters/CN=admin clientAuth
    issue controller-manager /CN=system:kube-controller-manager clientAuth
    issue scheduler /CN=system:kube-scheduler clientAuth
    issue kubelet /O=system:nodes/CN=system:node:node-1 clientAuth
}

kubeconfig() { # kubeconfig SERVER USER [TLS-SERVER-NAME]: on stdout, with everything inline
    cat <<END
apiVersion: v1
kind: Config
current-context: test
contexts: [{name: test, context: {cluster: test, user: $2}}]
clusters:
  - name: test
    cluster:
      server: $1
      certificate-authority-data: $(base64 -w0 <"$pki/ca.crt")
${3:+      tls-server-name: $3
}users:
  - name: $2
    user:
      client-certificate-data: $(base64 -w0 <"$pki/$2.crt")
      client-key-data: $(base64 -w0 <"$pki/$2.key")
END
}
