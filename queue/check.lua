-- Sets right what cannot come from any script, only from hands: entries of in_flight without a claim go, and claims
-- of a worker that nobody knows are given to the reapers.
-- KEYS workers in_flight claims:W
-- ARGV W token...
-- -> how many entries went
local workers, in_flight, claims = unpack(KEYS)
local gone, held = 0, false
for i = 2, #ARGV do
  if call('HEXISTS', claims, ARGV[i]) == 1 then
    held = true
  else
    gone = gone + call('ZREM', in_flight, ARGV[i])
  end
end
if held then
  call('HSETNX', workers, ARGV[1], string.format('dead %.0f', now_ms()))
end
return gone
