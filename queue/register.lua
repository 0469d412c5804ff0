-- Takes or keeps a worker's seat, and begins a session: claims of an older connection that arrive late are refused.
-- KEYS workers worker:W meta uid claims:W in_flight
-- ARGV W session "new"|"old" details ttl_s uid-to-propose protocol instance
-- -> {'ok', now, uid, token, id, ...} with what it holds | {'unregistered'} | {'protocol', theirs}
local workers, worker, meta, uid, claims, in_flight = unpack(KEYS)
local W, session, mode, details, ttl, proposal, protocol, instance = unpack(ARGV)

call('HSETNX', meta, 'protocol', protocol)
local theirs = call('HGET', meta, 'protocol')
if theirs ~= protocol then
  return {'protocol', theirs}
end
local beats = call('HGET', workers, W)
if beats and string.sub(beats, 1, 4) == 'dead' or not beats and mode == 'old' then
  return {'unregistered'}
end
-- Somebody of that name is there, or died lately: what he holds is for the reapers, who count it as a loss.
if beats and (call('HGET', worker, 'instance') or instance) ~= instance then
  return {'unregistered'}
end
local now = now_ms()
call('HINCRBY', workers, W, 1)
call('HSET', worker, 'session', session, 'instance', instance, 'details', details)
call('HSETNX', worker, 'since', now)
call('EXPIRE', worker, ttl)
call('SET', uid, proposal, 'NX')
local reply = {'ok', now, call('GET', uid)}
for _, field in ipairs(call('HKEYS', claims)) do
  if string.sub(field, 1, 3) ~= 'id ' then
    call('ZADD', in_flight, 'NX', now, field)
    reply[#reply + 1] = field
    reply[#reply + 1] = call('HGET', claims, 'id ' .. field) or ''
  end
end
return reply
