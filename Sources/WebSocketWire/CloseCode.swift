/// Why a conversation ends (RFC 6455, 7.4).
package struct CloseCode: Equatable, Sendable {
    /// The number on the wire.
    package let rawValue: UInt16

    /// The code that a peer sent; `nil` where no close frame may carry that number.
    ///
    /// 1004 to 1006 and 1015 are never sent, the other numbers below 3000 are not defined (7.4.1, 7.4.2).
    package init?(received number: UInt16) {
        switch number {
        case 1000...1003, 1007...1011, 3000...4999: rawValue = number
        default: return nil
        }
    }

    private init(_ number: UInt16) {
        rawValue = number
    }

    /// What the connection was made for is done.
    package static let normalClosure = CloseCode(1000)
    /// The peer broke a rule of the protocol.
    package static let protocolError = CloseCode(1002)
    /// The peer sent a kind of data that is not taken here.
    package static let unacceptableData = CloseCode(1003)
}
