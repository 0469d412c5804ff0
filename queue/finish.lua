-- Publishes results and lets their claims go.
-- KEYS claims:W in_flight stats events, then for each: task:ID result:ID reply:NAME (or result:ID again)
-- ARGV for each: token id ttl_s "reply"|"" result
-- -> for each: 'done' | 'lost' | 'error ...'
local claims, in_flight, stats, events = unpack(KEYS)
local reply, told, finished, late = {}, {}, 0, 0

local function finish(task, result_key, reply_key, token, id, ttl, wants_reply, result)
  local r = call('HMGET', task, 'state', 'token', 'history')
  local state, owner = r[1], r[2]
  if owner == token and state == 'finished' then
    return 'done' -- the same call, sent again
  end
  -- A Redis that lost its last second may have forgotten the admission, but the claim is ours.
  if not (owner == token and state == 'running') and not (not state and is_claimed(claims, token)) then
    drop_claim(token)
    late = late + 1
    return 'lost'
  end
  push_only(result_key, result, ttl)
  if wants_reply == 'reply' then
    push_reply(stats, reply_key, result, ttl)
  end
  if owner then
    call('HSET', task, 'state', 'finished')
  else
    call('HSET', task, 'state', 'finished', 'token', token)
  end
  if r[3] then
    call('HDEL', task, 'history')
  end
  call('EXPIRE', task, ttl)
  drop_claim(token)
  finished = finished + 1
  told[#told + 1] = 'finished'
  told[#told + 1] = id
  return 'done'
end

for i = 5, #KEYS, 3 do
  local a = 1 + (i - 5) / 3 * 5
  reply[#reply + 1] = answer(finish, KEYS[i], KEYS[i + 1], KEYS[i + 2], ARGV[a], ARGV[a + 1], ARGV[a + 2], ARGV[a + 3],
    ARGV[a + 4])
end
drop_all(claims, in_flight)
count(stats, 'finished', finished)
count(stats, 'late', late)
tell(events, told)
return reply
