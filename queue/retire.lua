-- Marks a worker dead, for all to see, if its counter still stands where the caller saw it: from now on it is
-- unregistered, and whoever looks takes its claims from it.
-- KEYS workers worker:W
-- ARGV W counter
-- -> 1 | 0
local workers = KEYS[1]
if call('HGET', workers, ARGV[1]) ~= ARGV[2] then
  return 0
end
call('HSET', workers, ARGV[1], string.format('dead %.0f', now_ms()))
call('DEL', KEYS[2])
return 1
