-- Writes one batch into a generation, or nothing of it.
--
-- KEYS  documents, positions, the batch's lists
-- ARGV  the field of `documents` that says that the generation exists
--       the channel to announce the batch on ("": none), and what to say there
--       number of positions, of each: name, the position that the batch was read from, the one after it
--       number of documents, of each: key, version, value
--       for each list: number of entries, the smallest sort key, of each: sort key, member
--
-- Returns 'written'; 'lost' when the generation is gone; 'behind' when a position is before the one that the batch was read
-- from, so that records between the two would be left out.

local documents, positions = KEYS[1], KEYS[2]
if redis.call('HEXISTS', documents, ARGV[1]) == 0 then
  return 'lost'
end

local at = 3 -- the last argument that was read
local function take()
  at = at + 1
  return ARGV[at]
end

local names, bases, nexts, ahead = {}, {}, {}, {}
for i = 1, take() do
  names[i], bases[i], nexts[i] = take(), tonumber(take()), take()
end
for i, stored in ipairs(#names > 0 and redis.call('HMGET', positions, unpack(names)) or {}) do
  stored = tonumber(stored or 0)
  if stored < bases[i] then
    return 'behind'
  elseif stored < tonumber(nexts[i]) then
    ahead[#ahead + 1] = names[i]
    ahead[#ahead + 1] = nexts[i]
  end
end

for _ = 1, take() do
  local key, version, value = take(), tonumber(take()), take()
  local stored = redis.call('HGET', documents, key)
  if not stored or tonumber(string.match(stored, '^%d+')) < version then
    redis.call('HSET', documents, key, value)
  end
end

for list = 3, #KEYS do
  local entries, smallest = take(), take()
  local written = redis.call('ZLEXCOUNT', KEYS[list], '[' .. smallest, '+') > 0
  for _ = 1, entries do
    local sort, member = take(), take()
    if written then -- so there may be an entry under the same sort key
      redis.call('ZREMRANGEBYLEX', KEYS[list], '[' .. sort .. '\0', '(' .. sort .. '\1')
    end
    redis.call('ZADD', KEYS[list], 0, member)
  end
end

if #ahead > 0 then
  redis.call('HSET', positions, unpack(ahead))
end
if ARGV[2] ~= '' then
  redis.call('PUBLISH', ARGV[2], ARGV[3])
end
return 'written'
