-- Leaves. What is still held (there should be nothing) is left to the reapers at once.
-- KEYS workers worker:W claims:W
-- ARGV W
-- -> 1: left; 0: left something behind
local workers, worker, claims = unpack(KEYS)
local beats = call('HGET', workers, ARGV[1])
call('DEL', worker)
if call('EXISTS', claims) == 0 then
  if beats and string.sub(beats, 1, 4) ~= 'dead' then
    call('HDEL', workers, ARGV[1])
  end
  return 1
end
if beats and string.sub(beats, 1, 4) ~= 'dead' then
  call('HSET', workers, ARGV[1], string.format('dead %.0f', now_ms()))
end
return 0
