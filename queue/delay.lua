-- Puts tasks off: their counters and payloads stay in their records until they are due.
-- KEYS claims:W in_flight stats events delayed task:ID...
-- ARGV keep_s, then for each: token id due_ms "infra"|"code"|"" history digest ttl_s
-- -> for each: 'done' | 'lost' | 'error ...'
local claims, in_flight, stats, events, delayed = unpack(KEYS)
local keep = ARGV[1]
local reply, told, done, late = {}, {}, 0, 0

local function delay(task, token, id, due, charge, history, digest, ttl)
  local r = call('HMGET', task, 'state', 'token', 'ttl')
  local state, owner = r[1], r[2]
  if owner == token and state == 'delayed' then
    return 'done' -- the same call, sent again
  end
  local claim = claim_of(claims, token)
  if not claim or state and not (owner == token and state == 'running') then
    drop_claim(token)
    late = late + 1
    return 'lost'
  end
  local source, payload = split(claim)
  if not state then -- the admission was lost with Redis' last second
    call('HSET', task, 'digest', digest, 'ttl', ttl)
  end
  call('HSET', task, 'state', 'delayed', 'token', token, 'source', source, 'payload', payload, 'history', history)
  if charge ~= '' then
    call('HINCRBY', task, charge, 1)
  end
  call('EXPIRE', task, r[3] or keep)
  call('ZADD', delayed, due, id)
  drop_claim(token)
  done = done + 1
  told[#told + 1] = 'retrying'
  told[#told + 1] = id
  return 'done'
end

for i = 6, #KEYS do
  local a = 2 + (i - 6) * 7
  reply[#reply + 1] = answer(delay, KEYS[i], unpack(ARGV, a, a + 6))
end
drop_all(claims, in_flight)
count(stats, 'delayed', done)
count(stats, 'late', late)
tell(events, told)
return reply
