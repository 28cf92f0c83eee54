import ByteKit
import Testing
import WebSocketWire

@Suite("A server's frames (RFC 6455, 5)")
struct ServerFrameTests {
    private func head(_ opcode: Opcode, _ payloadBytes: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        ServerFrame.appendHead(opcode, payloadBytes: payloadBytes, to: &bytes)
        return bytes
    }

    private func pong(_ payload: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        ServerFrame.appendPong(FixedBytes(payload.span), to: &bytes)
        return bytes
    }

    private func close(_ code: CloseCode?) -> [UInt8] {
        var bytes: [UInt8] = []
        ServerFrame.appendClose(code, to: &bytes)
        return bytes
    }

    @Test("5.7: the standard's own heads")
    func golden() {
        #expect(head(.text, 5) == hex("81 05"))
        #expect(head(.ping, 5) == hex("89 05"))
        #expect(head(.binary, 256) == hex("82 7E 0100"))
        #expect(head(.binary, 65_536) == hex("82 7F 0000000000010000"))
    }

    @Test("5.2: a length takes as few bytes as it can")
    func lengths() {
        #expect(head(.binary, 0) == hex("82 00"))
        #expect(head(.binary, 125) == hex("82 7D"))
        #expect(head(.binary, 126) == hex("82 7E 007E"))
        #expect(head(.binary, 65_535) == hex("82 7E FFFF"))
        #expect(head(.binary, 0x0123_4567_89AB) == hex("82 7F 00000123456789AB"))
    }

    @Test("5.5.3: a pong has the payload of the ping")
    func pongs() {
        #expect(pong(Array("Hello".utf8)) == hex("8A 05 48656c6c6f"))
        #expect(pong([]) == hex("8A 00"))
        #expect(pong(filled(125)) == hex("8A 7D") + filled(125))
    }

    @Test("5.5.1: a close has a code of two bytes, or nothing")
    func closes() {
        #expect(close(.normalClosure) == hex("88 02 03E8"))
        #expect(close(.protocolError) == hex("88 02 03EA"))
        #expect(close(.unacceptableData) == hex("88 02 03EB"))
        #expect(close(CloseCode(received: 4999)) == hex("88 02 1387"))
        #expect(close(nil) == hex("88 00"))
    }
}
