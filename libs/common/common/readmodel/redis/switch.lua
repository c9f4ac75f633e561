-- Serves a generation instead of the one that is served. Returns "served", "behind" or "unknown".
--
-- Whoever still holds on to the old one learns with its next question that it is no more. One that is behind the old one is
-- refused, or taken as unfinished: nothing is answered until a projector has caught up, rather than something older than before.
--
-- KEYS  current
-- ARGV  prefix of the service's keys, the field that holds a generation's state, the generation, the state of an unfinished
--       one, 1 to take one that is behind

local prefix, state, name, unfinished, anyway = unpack(ARGV)
if redis.call('HEXISTS', prefix .. name .. ':documents', state) == 0 then
  return 'unknown'
end
local served = redis.call('GET', KEYS[1])
if served == name then
  return 'served'
end
if served then
  local old, new = prefix .. served, prefix .. name
  local whole = redis.call('HGET', old .. ':documents', state) or unfinished
  local before = redis.call('HGETALL', old .. ':positions')
  for i = 1, #before, 2 do
    if tonumber(redis.call('HGET', new .. ':positions', before[i]) or 0) < tonumber(before[i + 1]) then
      if anyway ~= '1' then
        return 'behind'
      end
      whole = unfinished
    end
  end
  redis.call('HDEL', old .. ':documents', state)
  redis.call('HSET', new .. ':documents', state, whole)
end
redis.call('SET', KEYS[1], name)
return 'served'
