import Broker

/// What survives a crash.
struct Disk {
    var sessions: [[UInt8]: RestoredState.StoredSession] = [:]
    var retained: [[UInt8]: RestoredState.StoredRetained] = [:]

    var state: RestoredState {
        var state = RestoredState()
        state.sessions = Array(sessions.values)
        state.retained = Array(retained.values)
        return state
    }

    mutating func apply(_ change: DurableChange) {
        switch change {
        case .retain(let topic, let payload, let qos, let properties, _, let expires):
            retained[topic] = .init(
                topic: topic, payload: payload, qos: qos, properties: properties, expires: expires)
        case .forgetRetained(let topic):
            retained[topic] = nil
        case .session(let key, let principal, let expiry, let endedAt):
            var session = RestoredState.StoredSession(
                key: key, principal: principal, expirySeconds: expiry, endedAt: endedAt)
            session.subscriptions = sessions[key]?.subscriptions ?? []
            session.queue = sessions[key]?.queue ?? []
            session.received = sessions[key]?.received ?? []
            session.will = sessions[key]?.will
            sessions[key] = session
        case .dropSession(let key):
            sessions[key] = nil
        case .will(let key, let will):
            sessions[key]?.will = will
        case .forgetWill(let key):
            sessions[key]?.will = nil
        case .subscribe(let key, let filter, let options, let identifier):
            sessions[key]?.subscriptions.removeAll { $0.filter == filter }
            sessions[key]?.subscriptions.append((filter, options, identifier))
        case .unsubscribe(let key, let filter):
            sessions[key]?.subscriptions.removeAll { $0.filter == filter }
        case .enqueue(let key, let entry):
            sessions[key]?.queue.removeAll { $0.sequence == entry.sequence }
            sessions[key]?.queue.append(entry)
        case .release(let key, let sequence):
            guard let index = sessions[key]?.queue.firstIndex(where: { $0.sequence == sequence }) else { return }
            sessions[key]?.queue[index].isReleased = true
        case .dequeue(let key, let sequence):
            sessions[key]?.queue.removeAll { $0.sequence == sequence }
        case .receive(let key, let packetID):
            guard sessions[key]?.received.contains(packetID) == false else { return }
            sessions[key]?.received.append(packetID)
        case .forgetReceived(let key, let packetID):
            sessions[key]?.received.removeAll { $0 == packetID }
        }
    }
}
