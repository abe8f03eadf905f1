/// The values by a key, in the order in which the keys first occur.
func grouped<Value, Key: Hashable>(_ values: [Value], by key: (Value) -> Key) -> [(
  key: Key, values: [Value]
)] {
  var order: [Key] = []
  var groups: [Key: [Value]] = [:]
  for value in values {
    let key = key(value)
    if groups[key] == nil { order.append(key) }
    groups[key, default: []].append(value)
  }
  return order.map { ($0, groups[$0] ?? []) }
}
