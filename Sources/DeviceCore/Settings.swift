public import ByteKit

/// A JSON scalar exactly as it was received: `"hakata"`, `12`, `true`.
///
/// Empty where nothing is known.
public typealias RawValue = FixedBytes<96>

/// One key under `config` and its value.
public struct Setting: Equatable, Sendable {
    /// The key without quotes, at most 32 bytes, free of anything that JSON would escape.
    public internal(set) var key = FixedBytes<32>()
    /// The value, at most 96 bytes of JSON.
    public internal(set) var value = RawValue()
}

/// A small table of settings; `firmware_version` is not among them, it belongs to the slots.
public struct Settings: Equatable, Sendable {
    /// Most settings that are held.
    public static let capacity = 8

    /// What became of a value that was to be stored.
    public enum Outcome: Equatable, Sendable {
        /// It was there already.
        case unchanged
        /// It is there now.
        case changed
        /// Key or value is too long, or the table is full.
        case refused
    }

    /// Settings held, at most `capacity`.
    public private(set) var count = 0
    private var table = InlineArray<8, Setting>(repeating: Setting())

    /// Holds nothing yet.
    public init() {}

    /// The setting at `index`, 0 ..< `count`, in order of arrival.
    public subscript(index: Int) -> Setting { table[index] }

    /// Where `key` stands, or `nil` where it is not held.
    public func index(of key: Span<UInt8>) -> Int? {
        for index in 0..<count where table[index].key.span.equals(key) {
            return index
        }
        return nil
    }

    /// Stores `value` under `key`, or changes nothing.
    public mutating func set(_ key: Span<UInt8>, to value: Span<UInt8>) -> Outcome {
        let bytes = RawValue(value)
        guard !bytes.overflowed else { return .refused }
        if let index = index(of: key) {
            guard table[index].value != bytes else { return .unchanged }
            table[index].value = bytes
            return .changed
        }
        var setting = Setting()
        setting.key = FixedBytes(key)
        setting.value = bytes
        guard count < Self.capacity, !setting.key.overflowed else { return .refused }
        table[count] = setting
        count += 1
        return .changed
    }

    /// Forgets `key`.
    public mutating func remove(_ key: Span<UInt8>) -> Outcome {
        guard let index = index(of: key) else { return .unchanged }
        for place in index..<(count - 1) {
            table[place] = table[place + 1]
        }
        count -= 1
        table[count] = Setting()
        return .changed
    }

    /// Whether every setting of `other` is held here with the same value.
    public func includes(_ other: Settings) -> Bool {
        for place in 0..<other.count {
            guard let index = index(of: other.table[place].key.span),
                table[index].value == other.table[place].value
            else { return false }
        }
        return true
    }

    /// Takes over the settings of `other` whose keys are not held, as far as they fit.
    public mutating func fill(from other: Settings) {
        for place in 0..<other.count where index(of: other.table[place].key.span) == nil {
            _ = set(other.table[place].key.span, to: other.table[place].value.span)
        }
    }

    /// Writes `"key":value` for each, joined by commas, after a comma where `joint` says so.
    func write(after joint: Joint, into sink: inout some ByteSink) {
        for place in 0..<count {
            if joint == .member || place > 0 {
                sink.append(UInt8(ascii: ","))
            }
            sink.append(UInt8(ascii: "\""))
            sink.append(table[place].key.span)
            sink.append("\":")
            sink.append(table[place].value.span)
        }
    }

    /// What stands before the first member that is written.
    enum Joint {
        /// The opening brace.
        case brace
        /// Another member.
        case member
    }

    /// Whether both hold the same settings, in any order.
    public static func == (left: Settings, right: Settings) -> Bool {
        left.count == right.count && left.includes(right)
    }
}
