//  What the fuzz targets found, kept as a case each.

import MQTTWire
import Testing

@Suite("Found by fuzzing")
struct FuzzFindingTests {
    @Test("an AUTH of nothing means success, which a client does not tell [MQTT5-3.15.2-1]")
    func emptyAuth() {
        #expect(fault(hex("F0 00"), from: .client) == .invalidReasonCode(0))
        #expect(fault(hex("F0 00"), from: .server) == nil)
    }
}
