import ByteKit
import MQTTWire

/// Subscriptions whose retained messages a session is still to get (clause 3.3.1.3).
///
/// They wait outside of the session's queue and enter it as far as the client's window goes. They are looked for only when
/// the client has room for one more, so that what it gets is what is kept then.
struct RetainedFeed {
    /// Bytes of the filters that are looked for together.
    private static let bytesTogether = 16 << 10

    /// In the order in which they were made; those that do not stand in `numbers` count no more.
    private var waiting: [Item] = []
    private var current: Search?
    /// Which subscription of each filter is to be fed.
    private var numbers: [[UInt8]: Int] = [:]
    private var lastNumber = 0
    /// Whether the session has its turn with `BrokerCore.search`.
    var isInLine = false

    fileprivate struct Item {
        let subscription: Subscription
        let number: Int
    }

    /// Subscriptions whose messages are looked for; apart from the feed, since hardly any session has one at a time.
    fileprivate final class Search {
        let items: [Item]
        /// Those without wildcards, which have one topic each.
        private var exact: [Int]
        /// Those with wildcards, in the order of the walk's numbers.
        private let wild: [Int]
        private var walk: TopicWalk<Message>

        init(_ items: [Item], _ retained: TopicTree<Message>) {
            self.items = items
            let isExact = { (place: Int) in
                let filter = items[place].subscription.filter
                return TopicName.isValid(filter.span)
            }
            exact = items.indices.reversed().filter(isExact)
            let wild = items.indices.filter { !isExact($0) }
            self.wild = wild
            walk = TopicWalk(wild.map { items[$0].subscription.filter }, in: retained)
        }
    }

    var isEmpty: Bool { numbers.isEmpty }
    /// Whether there is more, and no other session's turn comes first.
    var mayGoOn: Bool { !isEmpty && !isInLine }

    func has(_ filter: [UInt8]) -> Bool { numbers[filter] != nil }

    /// Takes up a new subscription, in the place of an older one with the same filter.
    mutating func add(_ subscription: Subscription) {
        lastNumber += 1
        numbers[subscription.filter] = lastNumber
        waiting.append(Item(subscription: subscription, number: lastNumber))
        // Who makes the same one again and again leaves those that count no more.
        if waiting.count > 2 * numbers.count + 16 { waiting = waiting.filter(counts) }
    }

    /// Forgets a subscription that ended.
    mutating func remove(_ filter: [UInt8]) {
        numbers[filter] = nil
        if numbers.isEmpty { (waiting, current) = ([], nil) }
    }

    /// The connection is gone: a subscription that was not done begins again on the next one.
    mutating func rewind() {
        if let current { waiting.insert(contentsOf: current.items.filter(counts), at: 0) }
        current = nil
    }

    private func counts(_ item: Item) -> Bool { numbers[item.subscription.filter] == item.number }

    /// The next message and the subscription that it is for; nil where none or no step is left.
    ///
    /// - Parameter steps: nodes of the tree that may still be looked at.
    mutating func next(
        in retained: TopicTree<Message>, steps: inout Int
    ) -> (subscription: Subscription, message: Message)? {
        while steps > 0, !isEmpty {
            if current == nil { current = takeWaiting(retained, &steps) }
            if let (place, message) = current?.next(in: retained, steps: &steps) {
                if let item = current?.items[place], counts(item) { return (item.subscription, message) }
            } else if current?.isDone == true {
                for item in current?.items ?? [] where counts(item) { numbers[item.subscription.filter] = nil }
                current = nil
            }
        }
        return nil
    }

    private mutating func takeWaiting(_ retained: TopicTree<Message>, _ steps: inout Int) -> Search {
        var (items, taken, bytes): ([Item], Int, Int) = ([], 0, 0)
        for item in waiting {
            guard bytes < Self.bytesTogether else { break }
            taken += 1
            bytes += item.subscription.filter.count
            if counts(item) { items.append(item) }
        }
        waiting.removeFirst(taken)
        steps -= bytes / 4
        return Search(items, retained)
    }
}

extension RetainedFeed.Search {
    var isDone: Bool { exact.isEmpty && walk.isDone }

    /// The next message and the place among `items` of the subscription that it is for.
    func next(
        in retained: TopicTree<Message>, steps: inout Int
    ) -> (place: Int, message: Message)? {
        while steps > 0, let place = exact.popLast() {
            steps -= 1
            let filter = items[place].subscription.filter
            if let message = retained.value(at: filter.span) { return (place, message) }
        }
        return walk.next(in: retained, steps: &steps).map { (wild[$0.filter], $0.value) }
    }
}

//  Looking for retained messages costs as much as there are of them, whether or not they match. What all sessions may look
//  for together in one turn of the loop is therefore bounded; who is not done then stands in line for the next turn.

extension BrokerCore {
    /// Nodes of the tree that are looked at in one turn of the loop, for all sessions together: some milliseconds.
    package static let stepsPerTurn = 16_384
    /// The same for one session, before it is the next one's turn.
    private static let stepsPerSession = 4096
    /// What a message costs that is handed out, in nodes.
    private static let stepsPerMessage = 8

    /// Lets what is kept for new subscriptions follow the SUBACK that grants them; nothing for a shared one (4.8.2).
    mutating func sendRetained(for granted: [Granted], to connection: Connection) {
        guard let session = connection.session else { return }
        for granted in granted {
            let subscription = granted.subscription
            let handling = subscription.options.retainHandling
            guard !subscription.isShared, handling == .sendAlways || (handling == .sendIfNew && granted.isNew) else {
                continue
            }
            // The same filter again in one SUBSCRIBE is as in another one [MQTT-3.8.4-5].
            if session.retainedFeed.has(subscription.filter) { feed(session) }
            session.retainedFeed.add(subscription)
        }
        if !session.retainedFeed.isEmpty { feed(session) }
    }

    /// Hands out retained messages while the client has room for them and the turn has steps left.
    mutating func feedRetained(_ session: Session, _ connection: Connection) {
        guard !session.retainedFeed.isInLine else { return }
        var steps = min(Self.stepsPerSession, stepsLeft)
        stepsLeft -= steps
        while hasRoom(connection), session.queueCount < connection.window,
            let (subscription, message) = session.retainedFeed.next(in: retained, steps: &steps)
        {
            guard !message.isExpired(now: now) else { continue }
            send(message, for: subscription, to: session)
            steps -= Self.stepsPerMessage
        }
        stepsLeft += steps
        guard steps <= 0, !session.retainedFeed.isEmpty else { return }
        session.retainedFeed.isInLine = true
        searching.append(session)
    }

    private mutating func send(_ message: Message, for subscription: Subscription, to session: Session) {
        let subscriber = Subscriber(
            session: session, options: subscription.options, identifier: subscription.identifier)
        var grant = subscriber.grant
        grant.keepsRetain = true
        let qos = min(message.qos, grant.qos)
        if qos == .atMostOnce {
            deliverOnce(message, to: session, retain: true, identifiers: grant.identifiers)
        } else {
            enqueue(message, qos, grant, retain: true, for: session)
        }
    }

    /// Whether `search` is to be called a moment from now, when others have had their turn.
    package var mustSearch: Bool { stepsLeft < Self.stepsPerTurn }

    /// Goes on looking for retained messages, one turn of the loop.
    package mutating func search(now: Int64) {
        self.now = now
        stepsLeft = Self.stepsPerTurn
        let line = searching
        var next = 0
        searching = []
        while next < line.count, stepsLeft > 0 {
            line[next].retainedFeed.isInLine = false
            feed(line[next])
            next += 1
        }
        searching.insert(contentsOf: line[next...], at: 0)
    }
}
