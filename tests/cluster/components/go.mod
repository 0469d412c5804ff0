// Only marks the root of the module. What is built from is kubernetes-MINOR.mod (go build -modfile), written by ./pin.
module execq/tests/cluster/components

go 1.25
