//  Topics and filters: three ways to match must agree, and each with the rules of clause 4.7 level by level.

import Broker
import ByteKit
import MQTTWire

/// - Parameter bytes: a filter, 0xFF and a topic.
func topics(_ bytes: [UInt8]) {
    let end = bytes.firstIndex(of: 0xFF) ?? bytes.count
    let (filter, topic) = (Array(bytes[..<end]), Array(bytes[min(end + 1, bytes.count)...]))
    let isFilter = TopicFilter.isValid(filter.span)
    let isTopic = TopicName.isValid(topic.span)
    require(isFilter == isWellFormed(filter), "4.7.1, 4.8.2: filter")
    require(
        isTopic == (isText(topic) && !topic.isEmpty && !topic.contains(plus) && !topic.contains(hash)), "4.7.1: topic")
    let isShared = TopicFilter.split(shared: filter.span) != nil
    require(!isFilter || isShared == TopicFilter.isShared(filter.span), "4.8.2: shared")
    // What is not valid must not trap either.
    let isMatch = TopicFilter.matches(filter: filter.span, topic: topic.span)
    guard isFilter, isTopic, !isShared, levels(filter).count <= 256, levels(topic).count <= 256 else { return }
    require(isMatch == slowMatch(filter, topic), "4.7.1.2, 4.7.1.3, 4.7.2: match")
    trees(filter, topic, isMatch)
    // A filter that is denied denies all that it matches, for everybody.
    let policy = TopicPolicy(denied: [filter])
    require(!isMatch || !policy.mayPublish(.administrator, topic: topic.span), "a denied topic")
    require(!policy.maySubscribe(.administrator, filter: filter.span), "a denied filter")
}

/// The tree of filters asked with the topic, and the tree of topics asked with the filter.
private func trees(_ filter: [UInt8], _ topic: [UInt8], _ isMatch: Bool) {
    var (filters, names) = (TopicTree<Int>(), TopicTree<Int>())
    filters.update(filter.span) { $0 = 1 }
    names.update(topic.span) { $0 = 1 }
    var (found, kept) = (0, 0)
    filters.matchFilters(topic: topic.span) { found += $0 }
    var (walk, steps) = (TopicWalk([filter], in: names), 1000)
    while let (value, _) = walk.next(in: names, steps: &steps) { kept += value }
    require(walk.isDone, "a walk through one topic takes more than 1000 steps")
    require(found == (isMatch ? 1 : 0), "the tree of filters found \(found)")
    require(kept == (isMatch ? 1 : 0), "the tree of topics found \(kept)")
    filters.update(filter.span) { $0 = nil }
    require(filters.count == 0 && filters.value(at: filter.span) == nil, "the tree of filters keeps what was removed")
}

private let (plus, hash, slash) = (UInt8(ascii: "+"), UInt8(ascii: "#"), UInt8(ascii: "/"))

private func levels(_ path: [UInt8]) -> [ArraySlice<UInt8>] {
    path.split(separator: slash, omittingEmptySubsequences: false)
}

private func isText(_ bytes: [UInt8]) -> Bool {
    bytes.count <= 65_535 && !bytes.contains(0) && String(validating: bytes, as: UTF8.self) != nil
}

private func isWellFormed(_ filter: [UInt8]) -> Bool {
    guard isText(filter), !filter.isEmpty else { return false }
    guard filter.starts(with: "$share/".utf8) else { return isPlain(levels(filter)) }
    let parts = levels(filter).dropFirst()
    guard let group = parts.first, !group.isEmpty, !group.contains(plus), !group.contains(hash) else { return false }
    let rest = parts.dropFirst()
    return !rest.isEmpty && Array(rest) != [[]] && isPlain(Array(rest))
}

private func isPlain(_ levels: [ArraySlice<UInt8>]) -> Bool {
    for (index, level) in levels.enumerated() where level.contains(plus) || level.contains(hash) {
        guard level.count == 1, level.first == plus || index == levels.count - 1 else { return false }
    }
    return true
}

private func slowMatch(_ filter: [UInt8], _ topic: [UInt8]) -> Bool {
    if topic.first == UInt8(ascii: "$"), filter.first == plus || filter.first == hash { return false }
    let (wanted, named) = (levels(filter), levels(topic))
    for (index, level) in wanted.enumerated() {
        if level == [hash] { return true }
        guard index < named.count, level == [plus] || level == named[index] else { return false }
    }
    return wanted.count == named.count
}
