-- Count the authors of tags in the last hours, and in the same hours of the days before.
--
-- KEYS: as in `tag_use`. ARGV: the present hour, the number of hours, of days, and of authors below which a tag is left
-- out, then the tags. Returns (tag, authors, authors of each day before) of each other tag.

local now, hours, days, least = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

local function authors(tag, last)
  local keys = {}
  for hour = last - hours + 1, last do keys[#keys + 1] = KEYS[1] .. ':' .. string.format('%d', hour) .. ':' .. tag end
  return redis.call('PFCOUNT', unpack(keys))
end

local found = {}
for at = 5, #ARGV do
  local present = authors(ARGV[at], now)
  if present >= least then
    local row = {ARGV[at], present}
    for day = 1, days do row[#row + 1] = authors(ARGV[at], now - 24 * day) end
    found[#found + 1] = row
  end
end
return found
