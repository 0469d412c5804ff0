-- Once a minute, whoever comes first: the oldest entries of in_flight, to be held against the claims.
-- KEYS in_flight swept
-- ARGV every_ms older_than_ms most
-- -> {token, ...}
if not call('SET', KEYS[2], '1', 'NX', 'PX', ARGV[1]) then
  return {}
end
local before = string.format('%.0f', now_ms() - tonumber(ARGV[2]))
return call('ZRANGEBYSCORE', KEYS[1], '-inf', before, 'LIMIT', 0, ARGV[3])
