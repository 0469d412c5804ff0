-- Follows common.lua in the scripts that write to `dead`.

-- Well-formed UTF-8 (table 3-7 of the Unicode standard): take the good characters away and see whether any byte of
-- the upper half is left. A blank takes the place of each, so that no two pieces join.
local function is_utf8(s)
  if not string.find(s, '[\128-\255]') then
    return true
  end
  s = string.gsub(s, '[\194-\223][\128-\191]', ' ')
  s = string.gsub(s, '\224[\160-\191][\128-\191]', ' ')
  s = string.gsub(s, '[\225-\236\238\239][\128-\191][\128-\191]', ' ')
  s = string.gsub(s, '\237[\128-\159][\128-\191]', ' ')
  s = string.gsub(s, '\240[\144-\191][\128-\191][\128-\191]', ' ')
  s = string.gsub(s, '[\241-\243][\128-\191][\128-\191][\128-\191]', ' ')
  s = string.gsub(s, '\244[\128-\143][\128-\191][\128-\191]', ' ')
  return not string.find(s, '[\128-\255]')
end

-- Without a character that the end cut in two.
local function whole_characters(s)
  for back = 1, math.min(3, #s) do
    local c = string.byte(s, -back)
    if c >= 192 then
      local need = c >= 240 and 4 or c >= 224 and 3 or 2
      return need > back and string.sub(s, 1, -back - 1) or s
    elseif c < 128 then
      break
    end
  end
  return s
end

local function to_hex(s)
  return (string.gsub(s, '.', function(c) return string.format('%02x', string.byte(c)) end))
end

-- The oldest go first. Every script that writes here keeps the sum; an empty list sets it right again.
local function trim_dead(dead, meta, max_count, max_bytes, added)
  if call('LLEN', dead) == 1 then
    call('HSET', meta, 'dead_bytes', 0)
  end
  local bytes = call('HINCRBY', meta, 'dead_bytes', added)
  while call('LLEN', dead) > max_count or bytes > max_bytes do
    local gone = call('LPOP', dead)
    if not gone then
      call('HSET', meta, 'dead_bytes', 0)
      return
    end
    bytes = call('HINCRBY', meta, 'dead_bytes', -#gone)
  end
end

local function bury(dead, meta, stats, payload, id, reason, whole_max, head, max_count, max_bytes)
  local entry = {time = now_ms() / 1000, reason = reason, sha1 = redis.sha1hex(payload), bytes = #payload}
  if id ~= '' then
    entry.id = id
  end
  if #payload > whole_max then
    payload = string.sub(payload, 1, head)
    entry.cut = true
    if is_utf8(whole_characters(payload)) then
      payload = whole_characters(payload)
    end
  end
  if is_utf8(payload) then
    entry.payload = payload
  else
    entry.payload_hex = to_hex(string.sub(payload, 1, head))
    entry.cut = #payload > head or entry.cut
  end
  local text = cjson.encode(entry)
  call('RPUSH', dead, text)
  trim_dead(dead, meta, max_count, max_bytes, #text)
  count(stats, 'buried', 1)
end
