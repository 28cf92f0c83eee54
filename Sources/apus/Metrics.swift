import Broker
import BrokerNIO
import Foundation

/// The numbers of `/metrics`, in Prometheus' text format.
enum Metrics {
    static func text(_ broker: BrokerServer, expiry: Int) async -> String {
        var lines = [
            "# TYPE apus_build_info gauge", "apus_build_info{version=\"\(Apus.version)\"} 1",
            "# TYPE apus_cert_expiry_timestamp_seconds gauge", "apus_cert_expiry_timestamp_seconds \(expiry)",
        ]
        if let (counters, connections, memoryBytes) = try? await broker.counters() {
            lines += [
                "# TYPE apus_mqtt_connections gauge", "apus_mqtt_connections \(connections)",
                "# TYPE apus_mqtt_packets_total counter",
                "apus_mqtt_packets_total{direction=\"received\"} \(counters.packetsReceived)",
                "apus_mqtt_packets_total{direction=\"sent\"} \(counters.packetsSent)",
                "# TYPE apus_mqtt_published_total counter", "apus_mqtt_published_total \(counters.published)",
                "# TYPE apus_mqtt_dropped_total counter", "apus_mqtt_dropped_total \(counters.dropped)",
                "# TYPE apus_mqtt_dropped_to_slow_total counter",
                "apus_mqtt_dropped_to_slow_total \(counters.droppedToSlow)",
                "# TYPE apus_mqtt_closed_as_slow_total counter",
                "apus_mqtt_closed_as_slow_total \(counters.closedAsSlow)",
                "# TYPE apus_mqtt_memory_bytes gauge", "apus_mqtt_memory_bytes \(memoryBytes)",
                "# TYPE apus_mqtt_held_back_total counter", "apus_mqtt_held_back_total \(counters.heldBack)",
                "# TYPE apus_mqtt_throttled_total counter", "apus_mqtt_throttled_total \(counters.throttled)",
                "# TYPE apus_mqtt_failed_commits_total counter",
                "apus_mqtt_failed_commits_total \(counters.failedCommits)",
                "# TYPE apus_mqtt_refused_total counter", "apus_mqtt_refused_total \(counters.refused)",
                "# TYPE apus_mqtt_slow_closed_total counter",
                "apus_mqtt_slow_closed_total \(counters.slowClosed)",
                "# TYPE apus_mqtt_protocol_faults_total counter",
                "apus_mqtt_protocol_faults_total \(counters.protocolFaults)",
            ]
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
