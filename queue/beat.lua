-- KEYS workers worker:W delayed quarantine requests
-- ARGV W ttl_s
-- -> {'ok', now, next due (-1: none), in quarantine, waiting, bytes waiting (about), workers} | {'unregistered'}
local workers, worker, delayed, quarantine, requests = unpack(KEYS)
local W, ttl = unpack(ARGV)

local beats = call('HGET', workers, W)
if not beats or string.sub(beats, 1, 4) == 'dead' then
  return {'unregistered'}
end
call('HINCRBY', workers, W, 1)
call('EXPIRE', worker, ttl)
local first = call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
local bytes = redis.pcall('MEMORY', 'USAGE', requests, 'SAMPLES', 5) -- false for no list, a table if it is forbidden
return {
  'ok', now_ms(), first[2] and math.floor(tonumber(first[2])) or -1, call('LLEN', quarantine), call('LLEN', requests),
  type(bytes) == 'number' and bytes or 0, call('HLEN', workers),
}
