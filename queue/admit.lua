-- Makes claims running tasks; from here on their ids are taken.
-- KEYS claims:W in_flight stats events task:ID...
-- ARGV W keep_s, then for each: token id digest ttl_s
-- -> for each: {attempts, infra, code, losses, history} | 'duplicate' | 'lost' | 'error ...'
local claims, in_flight, stats, events = unpack(KEYS)
local W, keep = ARGV[1], ARGV[2]
local reply, told, admitted, duplicates = {}, {}, 0, 0

local function admit(task, token, id, digest, ttl)
  if call('HEXISTS', claims, token) == 0 then
    return 'lost'
  end
  local r = call('HMGET', task, 'state', 'token', 'digest', 'source', 'attempts', 'infra', 'code', 'losses', 'history')
  local state = r[1]
  if state == 'running' and r[2] == token then
    return {r[5], r[6], r[7], r[8], r[9] or ''} -- the same call, sent again
  end
  -- What waits again is the same request from the same inbox; a copy that was pushed beside it is as good.
  if state and not (state == 'waiting' and r[3] == digest and split(call('HGET', claims, token)) == r[4]) then
    drop_claim(claims, in_flight, token)
    duplicates = duplicates + 1
    return 'duplicate'
  end
  call('HSET', claims, 'id ' .. token, id)
  if state then
    call('HSET', task, 'state', 'running', 'token', token, 'worker', W)
  else
    call('HSET', task, 'state', 'running', 'token', token, 'worker', W, 'digest', digest, 'ttl', ttl, 'attempts', 1,
      'infra', 0, 'code', 0, 'losses', 0)
  end
  call('EXPIRE', task, keep)
  admitted = admitted + 1
  told[#told + 1] = 'started'
  told[#told + 1] = id
  return {r[5] or '1', r[6] or '0', r[7] or '0', r[8] or '0', r[9] or ''}
end

for i = 5, #KEYS do
  local a = 3 + (i - 5) * 4
  reply[#reply + 1] = answer(admit, KEYS[i], ARGV[a], ARGV[a + 1], ARGV[a + 2], ARGV[a + 3])
end
count(stats, 'admitted', admitted)
count(stats, 'duplicates', duplicates)
tell(events, told)
return reply
