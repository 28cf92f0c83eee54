/// Subscribers in the order in which they came, each session once.
///
/// Who comes and who leaves costs the same however many there are: a session that left leaves an empty place, and the
/// places are closed up when most of them are empty.
struct Roster {
    /// Subscribers that are found by looking at all of them.
    private static let fewest = 8

    /// In order; nil where somebody left.
    private var places: [Subscriber?] = []
    /// Where each session stands, where they are many.
    private var index: [ObjectIdentifier: Int]?
    /// The place whose turn is next.
    private var turn = 0
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    /// The subscriber that a session is.
    subscript(session: Session) -> Subscriber? { place(of: session).flatMap { places[$0] } }

    /// Puts a subscriber at the end, or in the place of an older subscription of its session.
    mutating func put(_ subscriber: Subscriber) {
        if let place = place(of: subscriber.session) {
            places[place] = subscriber
            return
        }
        index?[ObjectIdentifier(subscriber.session)] = places.count
        places.append(subscriber)
        count += 1
        if index == nil, places.count > Self.fewest { close() }
    }

    mutating func remove(_ session: Session) {
        guard let place = place(of: session) else { return }
        places[place] = nil
        // So that the turn behind the last one is that of the first, or of whoever comes next.
        while let last = places.last, last == nil { places.removeLast() }
        turn = min(turn, places.count)
        index?[ObjectIdentifier(session)] = nil
        count -= 1
        if places.count > 2 * count + Self.fewest { close() }
    }

    private func place(of session: Session) -> Int? {
        index.map { $0[ObjectIdentifier(session)] } ?? places.firstIndex { $0?.session === session }
    }

    /// Closes up the empty places.
    private mutating func close() {
        turn = places[..<turn].reduce(0) { $1 == nil ? $0 : $0 + 1 }
        places.removeAll { $0 == nil }
        index = nil
        guard count > Self.fewest else { return }
        index = [:]
        for (place, subscriber) in places.enumerated() {
            if let subscriber { index?[ObjectIdentifier(subscriber.session)] = place }
        }
    }

    /// Visits all, in order.
    func forEach(_ visit: (Subscriber) -> Void) {
        for place in places.indices { if let subscriber = places[place] { visit(subscriber) } }
    }

    /// The first one that passes.
    func first(where test: (Subscriber) -> Bool) -> Subscriber? {
        for place in places.indices { if let subscriber = places[place], test(subscriber) { return subscriber } }
        return nil
    }

    /// Picks one, in turn among those that are valued highest; nil where none is valued above `least`.
    ///
    /// - Parameter most: the highest value there is.
    mutating func pick<Value: Comparable>(
        above least: Value, upTo most: Value, _ value: (Subscriber) -> Value
    ) -> Subscriber? {
        var best: (place: Int, value: Value)?
        for offset in places.indices {
            let place = turn + offset < places.count ? turn + offset : turn + offset - places.count
            guard let subscriber = places[place] else { continue }
            let found = value(subscriber)
            guard found > best?.value ?? least else { continue }
            best = (place, found)
            if found == most { break }
        }
        guard let best else { return nil }
        turn = (best.place + 1) % places.count
        return places[best.place]
    }
}
