-- Charge several quotas together: all of them, or none if one of them is exhausted.
--
-- KEYS: one per quota. ARGV: cost, 1 to charge or 0 to check only, then limit and window in µs of each quota.
-- Returns for each: allowed, remaining, µs until full again, µs until the cost would be allowed.

local cost, now = tonumber(ARGV[1]), gcra_now()
local results, replies, all = {}, {}, ARGV[2] == '1'
for index, key in ipairs(KEYS) do
  local result = gcra_check(key, tonumber(ARGV[index * 2 + 1]), tonumber(ARGV[index * 2 + 2]), cost, now)
  results[index], replies[index] = result, gcra_reply(result)
  all = all and result.allowed == 1
end
for index, key in ipairs(KEYS) do
  if all then gcra_charge(key, results[index], now) end
end
return replies
