-- Pops what a worker has room for and writes down that it holds it, in one step.
-- KEYS workers worker:W claims:W in_flight meta stats quarantine inbox...
-- ARGV W session n "alone"|"" payload_max head inbox_max bytes_max token_floor inbox-name...
-- -> {'ok', now, left in the inboxes, token, flags, bytes, payload or its head, ...} | {'unregistered'} | {'session'}
-- flags: 1 the inbox was over its cap, 2 from quarantine
local workers, worker, claims, in_flight, meta, stats, quarantine = unpack(KEYS)
local W, session, alone = ARGV[1], ARGV[2], ARGV[4] == 'alone'
local room, payload_max, head, inbox_max = tonumber(ARGV[3]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local bytes_max, floor = tonumber(ARGV[8]), tonumber(ARGV[9])
local inboxes, names = 7, 9 -- both begin behind these

local beats = call('HGET', workers, W)
if not beats or string.sub(beats, 1, 4) == 'dead' then
  return {'unregistered'}
elseif call('HGET', worker, 'session') ~= session then
  return {'session'}
end
local now = now_ms()
local reply, bytes, taken = {'ok', now, 0}, 0, 0

local function take(source, flags, payloads)
  -- The floor is the highest number this worker has seen: a Redis that lost its last second must not give one twice.
  local last = call('HINCRBY', meta, 'token', #payloads)
  if last - #payloads < floor then
    last = floor + #payloads
    call('HSET', meta, 'token', last)
  end
  local fields, scores = {}, {}
  for i, payload in ipairs(payloads) do
    local token = string.format('%.0f:%s', last - #payloads + i, W)
    fields[2 * i - 1], fields[2 * i] = token, source .. '\n' .. payload
    scores[2 * i - 1], scores[2 * i] = now, token
    bytes = bytes + #payload
    reply[#reply + 1] = token
    reply[#reply + 1] = flags(i)
    reply[#reply + 1] = #payload
    reply[#reply + 1] = #payload > payload_max and string.sub(payload, 1, head) or payload
  end
  call('HSET', claims, unpack(fields))
  call('ZADD', in_flight, unpack(scores))
  taken = taken + #payloads
  return last
end

if alone then
  local payload = call('LPOP', quarantine)
  if payload then
    take('quarantine', function() return 2 end, {payload})
    room = 0
  end
end
for i = 1, #KEYS - inboxes do
  local inbox = KEYS[inboxes + i]
  local waiting = call('LLEN', inbox)
  while waiting > 0 and taken < room and bytes < bytes_max do
    local payloads = call('LPOP', inbox, math.min(16, room - taken))
    local before = waiting
    floor = take(ARGV[names + i], function(n) return before - n + 1 > inbox_max and 1 or 0 end, payloads)
    waiting = waiting - #payloads
  end
  reply[3] = reply[3] + waiting
end
count(stats, 'claimed', taken)
return reply
