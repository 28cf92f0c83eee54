//  Section 2.8 once more, as plainly as it can be said: which refusal an update gets, from its text alone.
import ShadowDocument

/// The first rule of 2.8 that a payload breaks over a shadow with this version; nil where it is accepted.
///
/// Sizes and levels beyond the reader's bound are left to their own tests.
func expectedRefusal(_ payload: [UInt8], version: Int?) -> ShadowRefusal? {
    guard String(validating: payload, as: UTF8.self) != nil else {
        return ShadowRefusal(415, "Unsupported documented encoding; supported encoding is UTF-8")
    }
    guard let request = JSON(payload), let members = request.members,
        !(members["state"].map(hasNullInArray) ?? false)
    else { return ShadowRefusal(400, "Invalid JSON") }
    if let token = members["clientToken"] {
        guard case .string(let text) = token, text.utf8.count <= 64 else {
            return ShadowRefusal(400, "Invalid clientToken")
        }
    }
    guard let state = members["state"] else { return ShadowRefusal(400, "Missing required node: state") }
    return refusal(of: state) ?? refusal(of: members["version"], version)
}

private func refusal(of state: JSON) -> ShadowRefusal? {
    if state == .null { return nil }
    guard let sections = state.members else { return ShadowRefusal(400, "State node must be an object") }
    let strange = sections.keys.filter { $0 != "desired" && $0 != "reported" }
    if !strange.isEmpty { return ShadowRefusal(400, "State contains an invalid node: '\(strange.sorted()[0])'") }
    for (name, words) in [("desired", "Desired"), ("reported", "Reported")] {
        if let section = sections[name], section != .null, section.members == nil {
            return ShadowRefusal(400, "\(words) node must be an object")
        }
    }
    guard sections.values.allSatisfy({ depth($0) <= 8 }) else {
        return ShadowRefusal(400, "JSON contains too many levels of nesting; maximum is 8")
    }
    return nil
}

private func refusal(of expected: JSON?, _ version: Int?) -> ShadowRefusal? {
    guard let expected else { return nil }
    guard case .number(let text) = expected, text.allSatisfy({ ("0"..."9").contains($0) }) else {
        return ShadowRefusal(400, "Invalid version")
    }
    return Int(text) == version ?? 0 ? nil : ShadowRefusal(409, "Version conflict")
}

/// Nested keys on the longest path.
private func depth(_ value: JSON) -> Int {
    switch value {
    case .object(let members): members.values.map { 1 + depth($0) }.max() ?? 0
    case .array(let elements): elements.map(depth).max() ?? 0
    default: 0
    }
}

private func hasNullInArray(_ value: JSON) -> Bool {
    switch value {
    case .object(let members): members.values.contains(where: hasNullInArray)
    case .array(let elements): elements.contains { $0 == .null || hasNullInside($0) }
    default: false
    }
}

/// Whether a null stands anywhere in a value: inside an array none may.
private func hasNullInside(_ value: JSON) -> Bool {
    switch value {
    case .object(let members): members.values.contains { $0 == .null || hasNullInside($0) }
    case .array(let elements): elements.contains { $0 == .null || hasNullInside($0) }
    default: false
    }
}
