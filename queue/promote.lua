-- Moves what is due to the head of the inbox it came from. The ids to move were named by the call before this one
-- (their records are keys, and keys are declared); the answer names the next ones.
-- KEYS delayed stats quarantine inbox... task:ID...
-- ARGV how many inboxes, keep_s, inbox-name..., id...
-- -> {now, next due that is not named here (-1: none), moved, id, ...}
local delayed, stats, quarantine = unpack(KEYS)
local inboxes, keep = tonumber(ARGV[1]), ARGV[2]
local now, moved = now_ms(), 0
local inbox = {quarantine = quarantine}
for i = 1, inboxes do
  inbox[ARGV[2 + i]] = KEYS[3 + i]
end

local function promote(task, id)
  local score = call('ZSCORE', delayed, id)
  if not score or tonumber(score) > now then
    return
  end
  call('ZREM', delayed, id)
  local r = redis.pcall('HMGET', task, 'state', 'source', 'payload', 'ttl')
  if r.err or r[1] ~= 'delayed' or not r[3] or not inbox[r[2]] then
    return count(stats, 'strays', 1)
  end
  call('LPUSH', inbox[r[2]], r[3])
  call('HDEL', task, 'payload')
  call('HSET', task, 'state', 'waiting')
  call('EXPIRE', task, r[4] or keep)
  moved = moved + 1
end

for i = 1, #KEYS - 3 - inboxes do
  answer(promote, KEYS[3 + inboxes + i], ARGV[2 + inboxes + i])
end
count(stats, 'promoted', moved)
local reply = {now, -1, moved}
for _, id in ipairs(call('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', 0, 100)) do
  reply[#reply + 1] = id
end
local later = call('ZRANGEBYSCORE', delayed, '(' .. string.format('%.0f', now), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
if later[2] then
  reply[2] = math.floor(tonumber(later[2]))
end
return reply
