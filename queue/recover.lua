-- Takes claims from a dead worker. What has seen two workers die goes to quarantine, where it runs alone; what kills
-- a worker even there is poison: without an id it goes to `dead` here, with one the caller writes its result.
-- KEYS workers claims:W in_flight stats dead meta losses quarantine inbox... then for each: task:ID (or claims:W)
-- ARGV W how-many-inboxes keep_s payload_max head max_count max_bytes, inbox-name..., then for each: token id
-- -> for each: {'inbox'|'quarantine'|'dead'|'gone'|'error ...'} | {'poison', history, payload or its head}
local workers, claims, in_flight, stats, dead, meta, losses, quarantine = unpack(KEYS)
local W, inboxes, keep = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local payload_max, head, max_count, max_bytes = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local inbox = {quarantine = quarantine}
for i = 1, inboxes do
  inbox[ARGV[7 + i]] = KEYS[8 + i]
end
local beats = call('HGET', workers, W)
local is_dead = beats and string.sub(beats, 1, 4) == 'dead'
local recovered, quarantined = 0, 0

local function put_back(token, source, payload, seen)
  local where = seen >= 2 and 'quarantine' or 'inbox'
  if where == 'quarantine' then
    call('RPUSH', quarantine, payload)
    quarantined = quarantined + 1
  else
    call('LPUSH', inbox[source], payload)
  end
  drop_claim(token)
  recovered = recovered + 1
  return where
end

local function unadmitted(token, source, payload)
  if source == 'quarantine' then
    bury(dead, meta, stats, payload, '', 'poison', payload_max, head, max_count, max_bytes)
    drop_claim(token)
    count(stats, 'poisoned', 1)
    return {'dead'}
  end
  if call('HLEN', losses) >= 10000 then
    call('DEL', losses)
  end
  local seen = call('HINCRBY', losses, redis.sha1hex(payload), 1)
  call('EXPIRE', losses, 86400)
  return {put_back(token, source, payload, seen)}
end

local function recover(task, token, id)
  local claim = claim_of(claims, token)
  if not claim or not is_dead or (call('HGET', claims, 'id ' .. token) or '') ~= id then
    return {'gone'}
  end
  local source, payload = split(claim)
  if id == '' then
    return unadmitted(token, source, payload)
  end
  local r = call('HMGET', task, 'state', 'token', 'ttl', 'history')
  if r[1] ~= 'running' or r[2] ~= token then
    drop_claim(token)
    return {'gone'}
  end
  if source == 'quarantine' then
    return {'poison', r[4] or '', string.sub(payload, 1, payload_max)}
  end
  local seen = call('HINCRBY', task, 'losses', 1)
  local where = put_back(token, source, payload, seen)
  -- No owner: whatever the dead one still sends is not its own any more.
  call('HSET', task, 'state', 'waiting', 'token', '', 'source', where == 'quarantine' and where or source)
  call('EXPIRE', task, r[3] or keep)
  return {where}
end

local reply = {}
for i = 9 + inboxes, #KEYS do
  local a = 8 + inboxes + (i - 9 - inboxes) * 2
  local r = answer(recover, KEYS[i], ARGV[a], ARGV[a + 1])
  reply[#reply + 1] = type(r) == 'table' and r or {r}
end
drop_all(claims, in_flight)
count(stats, 'recovered', recovered)
count(stats, 'quarantined', quarantined)
return reply
