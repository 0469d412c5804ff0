-- Makes claims running tasks; from here on their ids are taken.
-- KEYS claims:W in_flight stats events task:ID...
-- ARGV for each: token id digest ttl_s
-- -> for each: {attempts, infra, code, losses, history} | 'duplicate' | 'lost' | 'error ...'
local claims, in_flight, stats, events = unpack(KEYS)
local reply, told, ids, admitted, duplicates = {}, {}, {}, 0, 0

local function counters(infra, code, losses, history)
  return {1 + (infra or 0) + (code or 0), infra or '0', code or '0', losses or '0', history or ''}
end

local function admit(task, token, id, digest, ttl)
  if not is_claimed(claims, token) then
    return 'lost'
  end
  local r = call('HMGET', task, 'state', 'token', 'digest', 'source', 'infra', 'code', 'losses', 'history')
  local state = r[1]
  if state == 'running' and r[2] == token then
    return counters(r[5], r[6], r[7], r[8]) -- the same call, sent again
  end
  -- What waits again is the same request from the same inbox; a copy that was pushed beside it is as good.
  if state and not (state == 'waiting' and r[3] == digest and split(claim_of(claims, token)) == r[4]) then
    drop_claim(token)
    duplicates = duplicates + 1
    return 'duplicate'
  end
  if state then
    call('HSET', task, 'state', 'running', 'token', token)
    call('PERSIST', task)
  else
    call('HSET', task, 'state', 'running', 'token', token, 'digest', digest, 'ttl', ttl)
  end
  ids[#ids + 1] = 'id ' .. token
  ids[#ids + 1] = id
  admitted = admitted + 1
  told[#told + 1] = 'started'
  told[#told + 1] = id
  return counters(r[5], r[6], r[7], r[8])
end

for i = 5, #KEYS do
  local a = 1 + (i - 5) * 4
  reply[#reply + 1] = answer(admit, KEYS[i], ARGV[a], ARGV[a + 1], ARGV[a + 2], ARGV[a + 3])
end
if admitted > 0 then
  call('HSET', claims, unpack(ids))
end
drop_all(claims, in_flight)
count(stats, 'admitted', admitted)
count(stats, 'duplicates', duplicates)
tell(events, told)
return reply
