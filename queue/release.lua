-- Hands claims back to the head of the inbox they came from; nobody is charged. The last one pushed comes first, so
-- the caller names the youngest first.
-- KEYS claims:W in_flight stats quarantine inbox... then for each: task:ID (or claims:W again)
-- ARGV how many inboxes, keep_s, inbox-name..., then for each: token id ('' if it was not admitted)
-- -> for each: 'done' | 'lost' | 'error ...'
local claims, in_flight, stats, quarantine = unpack(KEYS)
local inboxes, keep = tonumber(ARGV[1]), ARGV[2]
local reply, done = {}, 0
local inbox = {quarantine = quarantine}
for i = 1, inboxes do
  inbox[ARGV[2 + i]] = KEYS[4 + i]
end

local function release(task, token, id)
  local claim = claim_of(claims, token)
  local state, owner, ttl = false, false, false
  if id ~= '' then
    local r = call('HMGET', task, 'state', 'token', 'ttl')
    state, owner, ttl = r[1], r[2], r[3]
    if owner == token and state == 'waiting' then
      return 'done' -- the same call, sent again
    end
  end
  if not claim or state and not (owner == token and state == 'running') then
    drop_claim(token)
    return 'lost'
  end
  local source, payload = split(claim)
  call('LPUSH', inbox[source], payload)
  if state then
    call('HSET', task, 'state', 'waiting', 'source', source)
    call('EXPIRE', task, ttl or keep)
  end
  drop_claim(token)
  done = done + 1
  return 'done'
end

for i = 5 + inboxes, #KEYS do
  local a = 3 + inboxes + (i - 5 - inboxes) * 2
  reply[#reply + 1] = answer(release, KEYS[i], ARGV[a], ARGV[a + 1])
end
drop_all(claims, in_flight)
count(stats, 'released', done)
return reply
