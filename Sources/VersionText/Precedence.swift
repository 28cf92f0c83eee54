import ByteKit

extension VersionText {
    /// Orders two digit runs without leading zeros: the longer is the larger.
    static func compareDigits(_ first: Span<UInt8>, _ second: Span<UInt8>) -> Ordering {
        guard first.count == second.count else { return first.count < second.count ? .older : .newer }
        return compareBytes(first, second)
    }

    /// Orders two runs byte by byte; a run that is the beginning of the other precedes it.
    static func compareBytes(_ first: Span<UInt8>, _ second: Span<UInt8>) -> Ordering {
        let common = min(first.count, second.count)
        for index in 0..<common where first[index] != second[index] {
            return first[index] < second[index] ? .older : .newer
        }
        guard first.count != second.count else { return .same }
        return first.count < second.count ? .older : .newer
    }

    /// Orders what stands behind the hyphens (section 11.3 and 11.4); a release follows its own candidates.
    static func comparePrereleases(_ first: Span<UInt8>, _ second: Span<UInt8>) -> Ordering {
        if first.isEmpty || second.isEmpty {
            guard first.isEmpty != second.isEmpty else { return .same }
            return first.isEmpty ? .newer : .older
        }
        var left = 0
        var right = 0
        while left < first.count, right < second.count {
            let leftEnd = identifierEnd(in: first, from: left)
            let rightEnd = identifierEnd(in: second, from: right)
            let order = compareIdentifiers(
                first.extracting(left..<leftEnd),
                second.extracting(right..<rightEnd)
            )
            guard order == .same else { return order }
            left = leftEnd + 1
            right = rightEnd + 1
        }
        if left < first.count { return .newer }
        return right < second.count ? .older : .same
    }

    /// Orders two identifiers: numbers by value and before words, words by ASCII.
    private static func compareIdentifiers(_ first: Span<UInt8>, _ second: Span<UInt8>) -> Ordering {
        switch (isNumeric(first), isNumeric(second)) {
        case (true, true): compareDigits(first, second)
        case (false, false): compareBytes(first, second)
        case (true, false): .older
        case (false, true): .newer
        }
    }

    private static func isNumeric(_ identifier: Span<UInt8>) -> Bool {
        for index in identifier.indices where !Reader.isDigit(identifier[index]) {
            return false
        }
        return true
    }

    private static func identifierEnd(in text: Span<UInt8>, from start: Int) -> Int {
        var end = start
        while end < text.count, text[end] != Reader.Mark.dot.rawValue {
            end += 1
        }
        return end
    }
}
