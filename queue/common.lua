-- Goes in front of every script (queue/CMakeLists.txt). No script decodes a payload, and all run with allow-oom: a
-- full Redis can still be drained. Keys are all declared, so everything works in a Redis Cluster.

local call = redis.call

-- TIME decides when something is due, never who is alive.
local function now_ms()
  local t = call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- A claim is stored as the inbox it came from, a line end, the payload. Once it is admitted, the field
-- "id TOKEN" holds its id.
local function split(claim)
  local i = string.find(claim, '\n', 1, true)
  return string.sub(claim, 1, i - 1), string.sub(claim, i + 1)
end

-- Claims go all together at the end, with drop_all(): most of a script's time is the number of its calls.
local dropped, dropped_fields, dropped_tokens = {}, {}, {}

local function claim_of(claims, token)
  return not dropped[token] and call('HGET', claims, token)
end

local function is_claimed(claims, token)
  return not dropped[token] and call('HEXISTS', claims, token) == 1
end

local function drop_claim(token)
  local n = #dropped_fields
  dropped[token] = true
  dropped_fields[n + 1], dropped_fields[n + 2] = token, 'id ' .. token
  dropped_tokens[#dropped_tokens + 1] = token
end

local function drop_all(claims, in_flight)
  if #dropped_tokens > 0 then
    call('HDEL', claims, unpack(dropped_fields))
    call('ZREM', in_flight, unpack(dropped_tokens))
  end
end

local function count(stats, what, n)
  if n > 0 then
    call('HINCRBY', stats, what, n)
  end
end

-- One entry a call: pairs of what happened and to which id.
local function tell(events, list)
  if #list > 0 then
    call('XADD', events, 'MAXLEN', '~', 4096, '*', unpack(list))
  end
end

-- A list that is ours alone: something of another type in its place gives way.
local function push_only(key, value, ttl)
  local r = redis.pcall('RPUSH', key, value)
  if type(r) == 'table' and r.err then
    call('DEL', key)
    call('RPUSH', key, value)
  elseif r > 1 then
    call('LTRIM', key, -1, -1)
  end
  call('EXPIRE', key, ttl)
end

-- A producer's list: what is in its way stays there.
local function push_reply(stats, key, value, ttl)
  local r = redis.pcall('RPUSH', key, value)
  if type(r) == 'table' and r.err then
    count(stats, 'reply_errors', 1)
  else
    call('EXPIRE', key, ttl)
  end
end

-- Each item of a batch by itself: what goes wrong with one (a key of another type) is its own answer.
local function answer(fn, ...)
  local ok, r = pcall(fn, ...)
  if ok then
    return r
  end
  return 'error ' .. (type(r) == 'table' and r.err or tostring(r))
end
