import Testing
import Transports

@Suite struct ListenAddressTests {
    @Test(arguments: [
        ("127.0.0.1:8080", "127.0.0.1", 8080), ("localhost:0", "localhost", 0),
        ("[::1]:65535", "::1", 65535),
    ])
    func readsHostAndPort(text: String, host: String, port: Int) throws {
        let address = try ListenAddress(parsing: text)
        #expect(address == ListenAddress(host: host, port: port))
        #expect(address.description == text)
    }

    @Test(arguments: [
        ("localhost", "the port is missing"),
        ("localhost:", "the port is not a number from 0 to 65535"),
        ("localhost:65536", "the port is not a number from 0 to 65535"),
        ("localhost:99999999999999999999", "the port is not a number from 0 to 65535"),
        ("localhost:-1", "the port is not a number from 0 to 65535"),
        (":8080", "the host is missing"),
        ("::1:8080", "an IPv6 host stands in brackets"),
        ("[]:8080", "an IPv6 host stands in brackets"),
        ("http://localhost:8080", "an IPv6 host stands in brackets"),
    ])
    func refusesWhatIsNoAddress(text: String, reason: String) {
        #expect(throws: TransportError.invalidAddress(text, reason: reason)) {
            try ListenAddress(parsing: text)
        }
    }

    @Test func explainsItself() {
        #expect(
            TransportError.invalidAddress("x", reason: "the port is missing").description
                == "'x' is no address to listen on: the port is missing; "
                + "give HOST:PORT, for example 127.0.0.1:8080 or [::1]:8080")
    }
}
