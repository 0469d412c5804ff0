-- What a dead worker holds. When that is nothing, and it has been dead for long enough, it is forgotten.
-- KEYS workers claims:W
-- ARGV W forget_after_ms most
-- -> {token, id ('' if not admitted), ...}
local workers, claims = unpack(KEYS)
local W, patience, most = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local beats = call('HGET', workers, W)
if not beats or string.sub(beats, 1, 4) ~= 'dead' then
  return {}
end
local reply = {}
for _, field in ipairs(call('HKEYS', claims)) do
  if string.sub(field, 1, 3) ~= 'id ' and #reply < 2 * most then
    reply[#reply + 1] = field
    reply[#reply + 1] = call('HGET', claims, 'id ' .. field) or ''
  end
end
if #reply == 0 and now_ms() - (tonumber(string.sub(beats, 6)) or 0) > patience then
  call('DEL', claims)
  call('HDEL', workers, W)
end
return reply
