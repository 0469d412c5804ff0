-- Puts payloads that cannot be run to `dead`, and publishes a result for those that have an unused id, or one that
-- runs under this very claim (a poisoned request, buried by the reaper).
-- KEYS claims:W in_flight stats events dead meta, then for each: task:ID result:ID reply:NAME (or claims:W in place)
-- ARGV payload_max head max_count max_bytes, then for each: token reason id ttl_s "reply"|"" result
-- -> for each: 'done' | 'duplicate' | 'lost' | 'error ...'
local claims, in_flight, stats, events, dead, meta = unpack(KEYS)
local payload_max, head, max_count, max_bytes = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local reply, told, finished = {}, {}, 0

local function publish(task, result_key, reply_key, token, id, ttl, wants_reply, result)
  local r = call('HMGET', task, 'state', 'token')
  if r[1] and not (r[1] == 'running' and r[2] == token) then
    return 'duplicate'
  end
  push_only(result_key, result, ttl)
  if wants_reply == 'reply' then
    push_reply(stats, reply_key, result, ttl)
  end
  call('HSET', task, 'state', 'finished', 'token', token)
  call('HDEL', task, 'history')
  call('EXPIRE', task, ttl)
  finished = finished + 1
  told[#told + 1] = 'finished'
  told[#told + 1] = id
  return 'done'
end

local function one(task, result_key, reply_key, token, reason, id, ttl, wants_reply, result)
  local claim = claim_of(claims, token)
  if not claim then
    if id ~= '' and call('HGET', task, 'token') == token then
      return 'done' -- the same call, sent again
    end
    return 'lost'
  end
  local _, payload = split(claim)
  local r = id == '' and 'done' or publish(task, result_key, reply_key, token, id, ttl, wants_reply, result)
  if reason == 'poison' then
    count(stats, 'poisoned', 1)
  end
  bury(dead, meta, stats, payload, id, reason, payload_max, head, max_count, max_bytes)
  drop_claim(token)
  return r
end

for i = 7, #KEYS, 3 do
  local a = 5 + (i - 7) / 3 * 6
  reply[#reply + 1] = answer(one, KEYS[i], KEYS[i + 1], KEYS[i + 2], unpack(ARGV, a, a + 5))
end
drop_all(claims, in_flight)
count(stats, 'finished', finished)
tell(events, told)
return reply
