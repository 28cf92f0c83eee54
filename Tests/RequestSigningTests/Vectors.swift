//  Made by scripts/generate-signing-vectors, botocore 1.44.8, awscrt 0.36.1; not edited by hand.
import RequestSigning

extension Vector {
    static let accessKeyID = "AKIDEXAMPLE"
    static let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
    static let seconds: UInt64 = 1440938160

    // swift-format-ignore
    static let all: [Vector] = [
        Vector(
            name: "iotdata get_thing_shadow", service: "iotdata", transport: .tls,
            request: SignedRequest(method: "GET", target: "/things/press%3A17/shadow?name=%24config", fields: [
                .init("Host", "localhost:8443"),
                .init("X-Amz-Date", "20150830T123600Z"),
                .init("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iotdata/aws4_request, SignedHeaders=host;x-amz-date, Signature=de117b9cf1582c40c7cf7bfb555b977e45ff7c1f17cae552308943bc5e3e8993"),
                .init("amz-sdk-invocation-id", "00000000-0000-0000-0000-000000000001"),
                .init("amz-sdk-request", "attempt=1; max=2"),
            ]), body: []),
        Vector(
            name: "iotdata update_thing_shadow", service: "iotdata", transport: .tls,
            request: SignedRequest(method: "POST", target: "/things/T/shadow", fields: [
                .init("Host", "localhost:8443"),
                .init("X-Amz-Date", "20150830T123600Z"),
                .init("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iotdata/aws4_request, SignedHeaders=host;x-amz-date, Signature=f44dc56123a55405384c46e554d06f700ee0af710975c2cf8b220a1036511af8"),
                .init("amz-sdk-invocation-id", "00000000-0000-0000-0000-000000000001"),
                .init("amz-sdk-request", "attempt=1; max=2"),
                .init("Content-Length", "32"),
            ]), body: [123, 34, 115, 116, 97, 116, 101, 34, 58, 123, 34, 100, 101, 115, 105, 114, 101, 100, 34, 58, 123, 34, 97, 34, 58, 34, 195, 169, 34, 125, 125, 125]),
        Vector(
            name: "iotdata delete_thing_shadow", service: "iotdata", transport: .tls,
            request: SignedRequest(method: "DELETE", target: "/things/T/shadow", fields: [
                .init("Host", "localhost:8443"),
                .init("X-Amz-Date", "20150830T123600Z"),
                .init("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iotdata/aws4_request, SignedHeaders=host;x-amz-date, Signature=b339ff583e5af97ff0c296a45f6089d95f4ac45b4aed627b1ff60ad76c44dedc"),
                .init("amz-sdk-invocation-id", "00000000-0000-0000-0000-000000000001"),
                .init("amz-sdk-request", "attempt=1; max=2"),
                .init("Content-Length", "0"),
            ]), body: []),
        Vector(
            name: "iotdata list_named_shadows_for_thing", service: "iotdata", transport: .tls,
            request: SignedRequest(method: "GET", target: "/api/things/shadow/ListNamedShadowsForThing/T?pageSize=7&nextToken=a%20b%2Fc%2Bd%3D%26e", fields: [
                .init("Host", "localhost:8443"),
                .init("X-Amz-Date", "20150830T123600Z"),
                .init("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iotdata/aws4_request, SignedHeaders=host;x-amz-date, Signature=2925ee4cef943f0685fc5abdd7cf99bd9e113f9a5ee8a9d6572b47576ecfddbb"),
                .init("amz-sdk-invocation-id", "00000000-0000-0000-0000-000000000001"),
                .init("amz-sdk-request", "attempt=1; max=2"),
            ]), body: []),
        Vector(
            name: "iotdata publish", service: "iotdata", transport: .tls,
            request: SignedRequest(method: "POST", target: "/topics/plant%2F%24x%20y%2F%C3%BC?qos=1&retain=true&contentType=text%2Fplain", fields: [
                .init("Host", "localhost:8443"),
                .init("x-amz-mqtt5-user-properties", "Ilt7XCJhXCI6IFwiYlwifV0i"),
                .init("x-amz-mqtt5-payload-format-indicator", "UTF8_DATA"),
                .init("x-amz-mqtt5-correlation-data", "AAE="),
                .init("X-Amz-Date", "20150830T123600Z"),
                .init("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iotdata/aws4_request, SignedHeaders=host;x-amz-date;x-amz-mqtt5-correlation-data;x-amz-mqtt5-payload-format-indicator;x-amz-mqtt5-user-properties, Signature=42707d9b2720acf090bd801de5672145703dcdfc78a930edb2bc534ee39fe4ef"),
                .init("amz-sdk-invocation-id", "00000000-0000-0000-0000-000000000001"),
                .init("amz-sdk-request", "attempt=1; max=2"),
                .init("Content-Length", "2"),
            ]), body: [0, 255]),
        Vector(
            name: "iotdata publish", service: "iotdata", transport: .plain,
            request: SignedRequest(method: "POST", target: "/topics/a%2Fb", fields: [
                .init("Host", "localhost:8443"),
                .init("X-Amz-Date", "20150830T123600Z"),
                .init("X-Amz-Security-Token", "IQoJb3JpZ2luX2VjEXAMPLE/token+=="),
                .init("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iotdata/aws4_request, SignedHeaders=host;x-amz-date;x-amz-security-token, Signature=7ef018ef5bc08dab0c20b8cb56fd2c5852ab937099f172c340a75c25ba46ef84"),
                .init("amz-sdk-invocation-id", "00000000-0000-0000-0000-000000000001"),
                .init("amz-sdk-request", "attempt=1; max=2"),
                .init("Content-Length", "5"),
            ]), body: [112, 108, 97, 105, 110]),
        Vector(
            name: "iotdata get_retained_message", service: "iotdata", transport: .tls,
            request: SignedRequest(method: "GET", target: "/retainedMessage/a%2Fb", fields: [
                .init("Host", "localhost:8443"),
                .init("X-Amz-Date", "20150830T123600Z"),
                .init("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iotdata/aws4_request, SignedHeaders=host;x-amz-date, Signature=8c40c5d2d273c79f61332672d4a4f4db6ea28c1cc9846613e40fff627d595db6"),
                .init("amz-sdk-invocation-id", "00000000-0000-0000-0000-000000000001"),
                .init("amz-sdk-request", "attempt=1; max=2"),
            ]), body: []),
        Vector(
            name: "iot-jobs-data get_pending_job_executions", service: "iot-jobs-data", transport: .tls,
            request: SignedRequest(method: "GET", target: "/things/T/jobs", fields: [
                .init("Host", "localhost:8443"),
                .init("X-Amz-Date", "20150830T123600Z"),
                .init("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iot-jobs-data/aws4_request, SignedHeaders=host;x-amz-date, Signature=3bdc972b3eab35d791f1e4661b2a539e5fd17962494a5ea233c99e85844fed6a"),
                .init("amz-sdk-invocation-id", "00000000-0000-0000-0000-000000000001"),
                .init("amz-sdk-request", "attempt=1; max=2"),
            ]), body: []),
        Vector(
            name: "iot-jobs-data start_next_pending_job_execution", service: "iot-jobs-data", transport: .tls,
            request: SignedRequest(method: "PUT", target: "/things/T/jobs/$next", fields: [
                .init("Host", "localhost:8443"),
                .init("Content-Type", "application/json"),
                .init("X-Amz-Date", "20150830T123600Z"),
                .init("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iot-jobs-data/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=95ff354a342853c36a8d5cfe0234aa90ddb764a9364b0f52b52148ba0459b807"),
                .init("amz-sdk-invocation-id", "00000000-0000-0000-0000-000000000001"),
                .init("amz-sdk-request", "attempt=1; max=2"),
                .init("Content-Length", "29"),
            ]), body: [123, 34, 115, 116, 97, 116, 117, 115, 68, 101, 116, 97, 105, 108, 115, 34, 58, 32, 123, 34, 97, 34, 58, 32, 34, 49, 34, 125, 125]),
        Vector(
            name: "iot-jobs-data describe_job_execution", service: "iot-jobs-data", transport: .tls,
            request: SignedRequest(method: "GET", target: "/things/T/jobs/%24next?includeJobDocument=true", fields: [
                .init("Host", "localhost:8443"),
                .init("X-Amz-Date", "20150830T123600Z"),
                .init("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iot-jobs-data/aws4_request, SignedHeaders=host;x-amz-date, Signature=aac53fa2c418b3188d12ae055a285b71b625bd14fed9216dfbde9812683fad0f"),
                .init("amz-sdk-invocation-id", "00000000-0000-0000-0000-000000000001"),
                .init("amz-sdk-request", "attempt=1; max=2"),
            ]), body: []),
        Vector(
            name: "iot-jobs-data update_job_execution", service: "iot-jobs-data", transport: .tls,
            request: SignedRequest(method: "POST", target: "/things/a%3Ab/jobs/j", fields: [
                .init("Host", "localhost:8443"),
                .init("Content-Type", "application/json"),
                .init("X-Amz-Date", "20150830T123600Z"),
                .init("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iot-jobs-data/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=528972d9693f83abbd789e850a7089cd383cbe946797ed4a5f0da220a2caf47e"),
                .init("amz-sdk-invocation-id", "00000000-0000-0000-0000-000000000001"),
                .init("amz-sdk-request", "attempt=1; max=2"),
                .init("Content-Length", "23"),
            ]), body: [123, 34, 115, 116, 97, 116, 117, 115, 34, 58, 32, 34, 83, 85, 67, 67, 69, 69, 68, 69, 68, 34, 125]),
        Vector(
            name: "iot create_job", service: "iot", transport: .tls,
            request: SignedRequest(method: "PUT", target: "/jobs/j", fields: [
                .init("Host", "localhost:8443"),
                .init("Content-Type", "application/json"),
                .init("X-Amz-Date", "20150830T123600Z"),
                .init("X-Amz-Security-Token", "IQoJb3JpZ2luX2VjEXAMPLE/token+=="),
                .init("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iot/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature=adf52c9dd9627cd5f10bd039c8384e275cea04e9682752e6d3c9216af34ff715"),
                .init("amz-sdk-invocation-id", "00000000-0000-0000-0000-000000000001"),
                .init("amz-sdk-request", "attempt=1; max=2"),
                .init("Content-Length", "77"),
            ]), body: [123, 34, 116, 97, 114, 103, 101, 116, 115, 34, 58, 32, 91, 34, 97, 114, 110, 58, 97, 119, 115, 58, 105, 111, 116, 58, 117, 115, 45, 101, 97, 115, 116, 45, 49, 58, 49, 50, 51, 52, 53, 54, 55, 56, 57, 48, 49, 50, 58, 116, 104, 105, 110, 103, 47, 84, 34, 93, 44, 32, 34, 100, 111, 99, 117, 109, 101, 110, 116, 34, 58, 32, 34, 123, 125, 34, 125]),
        Vector(
            name: "iot cancel_job", service: "iot", transport: .tls,
            request: SignedRequest(method: "PUT", target: "/jobs/j/cancel?force=true", fields: [
                .init("Host", "localhost:8443"),
                .init("Content-Type", "application/json"),
                .init("X-Amz-Date", "20150830T123600Z"),
                .init("X-Amz-Security-Token", "IQoJb3JpZ2luX2VjEXAMPLE/token+=="),
                .init("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iot/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature=6eeb82100645037bd2ac3bba07902475f831fdf2c6f0920d85cfc87c3828bd9b"),
                .init("amz-sdk-invocation-id", "00000000-0000-0000-0000-000000000001"),
                .init("amz-sdk-request", "attempt=1; max=2"),
                .init("Content-Length", "26"),
            ]), body: [123, 34, 99, 111, 109, 109, 101, 110, 116, 34, 58, 32, 34, 116, 119, 111, 32, 32, 115, 112, 97, 99, 101, 115, 34, 125]),
        Vector(
            name: "iot list_things", service: "iot", transport: .tls,
            request: SignedRequest(method: "GET", target: "/things?maxResults=10&attributeName=a&attributeValue=x%2Cy", fields: [
                .init("Host", "localhost:8443"),
                .init("X-Amz-Date", "20150830T123600Z"),
                .init("X-Amz-Security-Token", "IQoJb3JpZ2luX2VjEXAMPLE/token+=="),
                .init("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iot/aws4_request, SignedHeaders=host;x-amz-date;x-amz-security-token, Signature=17e5b50c0430dd983e2d09ed22a2e0ebcef264a5a903046bdc6f19bb016c9e99"),
                .init("amz-sdk-invocation-id", "00000000-0000-0000-0000-000000000001"),
                .init("amz-sdk-request", "attempt=1; max=2"),
            ]), body: []),
        Vector(
            name: "iot describe_endpoint", service: "iot", transport: .tls,
            request: SignedRequest(method: "GET", target: "/endpoint?endpointType=iot%3AData-ATS", fields: [
                .init("Host", "localhost:8443"),
                .init("X-Amz-Date", "20150830T123600Z"),
                .init("X-Amz-Security-Token", "IQoJb3JpZ2luX2VjEXAMPLE/token+=="),
                .init("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iot/aws4_request, SignedHeaders=host;x-amz-date;x-amz-security-token, Signature=1aae6fd7049951be2e2a2feae98259d9ff5385cf03e04460e1ffccf44e56af4d"),
                .init("amz-sdk-invocation-id", "00000000-0000-0000-0000-000000000001"),
                .init("amz-sdk-request", "attempt=1; max=2"),
            ]), body: []),
        Vector(
            name: "iot update_thing", service: "iot", transport: .tls,
            request: SignedRequest(method: "PATCH", target: "/things/T", fields: [
                .init("Host", "localhost:8443"),
                .init("Content-Type", "application/json"),
                .init("X-Amz-Date", "20150830T123600Z"),
                .init("X-Amz-Security-Token", "IQoJb3JpZ2luX2VjEXAMPLE/token+=="),
                .init("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iot/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature=8bda4b9af44cc142ab97d2c7146f3665c937c097b51f55d095473082617d23a0"),
                .init("amz-sdk-invocation-id", "00000000-0000-0000-0000-000000000001"),
                .init("amz-sdk-request", "attempt=1; max=2"),
                .init("Content-Length", "63"),
            ]), body: [123, 34, 97, 116, 116, 114, 105, 98, 117, 116, 101, 80, 97, 121, 108, 111, 97, 100, 34, 58, 32, 123, 34, 97, 116, 116, 114, 105, 98, 117, 116, 101, 115, 34, 58, 32, 123, 34, 97, 34, 58, 32, 34, 98, 34, 125, 44, 32, 34, 109, 101, 114, 103, 101, 34, 58, 32, 116, 114, 117, 101, 125, 125]),
        Vector(
            name: "a bare address", service: "service", transport: .tls,
            request: SignedRequest(method: "GET", target: "/", fields: [
                .init("Host", "example.amazonaws.com"),
                .init("X-Amz-Date", "20150830T123600Z"),
                .init("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            ]), body: []),
        Vector(
            name: "POST without a body", service: "service", transport: .tls,
            request: SignedRequest(method: "POST", target: "/", fields: [
                .init("Host", "example.amazonaws.com"),
                .init("X-Amz-Date", "20150830T123600Z"),
                .init("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
            ]), body: []),
        Vector(
            name: "parameters out of order", service: "service", transport: .tls,
            request: SignedRequest(method: "GET", target: "/?Param2=value2&Param1=value1&Param1=value0&a=&B=%2F", fields: [
                .init("Host", "example.amazonaws.com"),
                .init("X-Amz-Date", "20150830T123600Z"),
                .init("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=94d93b6074c1449e8622fae6db788abd7e648d82991caed39ecfdb510490e806"),
            ]), body: []),
        Vector(
            name: "dots and double slashes", service: "service", transport: .tls,
            request: SignedRequest(method: "GET", target: "/a/./b/..//c//d/", fields: [
                .init("Host", "example.amazonaws.com"),
                .init("X-Amz-Date", "20150830T123600Z"),
                .init("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=07fc47830311f547240f25f97c1565bd7a705059e39e5d0c3e0c5287c2c4bcfc"),
            ]), body: []),
        Vector(
            name: "more dots than segments", service: "service", transport: .tls,
            request: SignedRequest(method: "GET", target: "/../..", fields: [
                .init("Host", "example.amazonaws.com"),
                .init("X-Amz-Date", "20150830T123600Z"),
                .init("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            ]), body: []),
        Vector(
            name: "a path encoded already", service: "service", transport: .tls,
            request: SignedRequest(method: "GET", target: "/a%20b/%24next/~x-y_z.", fields: [
                .init("Host", "example.amazonaws.com"),
                .init("X-Amz-Date", "20150830T123600Z"),
                .init("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=41972a1970241a77ef681a85c727ca4bd2ecf22f142fede5e714edb714eaac21"),
            ]), body: []),
        Vector(
            name: "a field twice, with white space", service: "service", transport: .tls,
            request: SignedRequest(method: "GET", target: "/", fields: [
                .init("Host", "example.amazonaws.com"),
                .init("My-Header1", "  value4 "),
                .init("My-Header1", "a   b\u{9}c"),
                .init("my-header2", "\u{22}x   y\u{22}"),
                .init("X-Amz-Date", "20150830T123600Z"),
                .init("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;my-header1;my-header2;x-amz-date, Signature=901008eed8924b5bd5f7c5fd58dd77d8e267dfb0ace601e5dc0e1b111c79c433"),
            ]), body: []),
        Vector(
            name: "Date in place of X-Amz-Date", service: "service", transport: .tls,
            request: SignedRequest(method: "GET", target: "/", fields: [
                .init("Host", "example.amazonaws.com"),
                .init("Date", "Sun, 30 Aug 2015 12:36:00 -0000"),
                .init("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=date;host, Signature=7680771e48fa28c7db272da980f990fa8ee39dee61905c4203f5da9d3d48ac86"),
            ]), body: []),
        Vector(
            name: "payload left out", service: "iotdata", transport: .tls,
            request: SignedRequest(method: "POST", target: "/topics/a", fields: [
                .init("Host", "example.amazonaws.com"),
                .init("X-Amz-Date", "20150830T123600Z"),
                .init("X-Amz-Content-SHA256", "UNSIGNED-PAYLOAD"),
                .init("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iotdata/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=2b6dfe49236700427ee17cfe003ed959f1926c689f27e249de7bfeb80ee6f89e"),
            ]), body: [115, 101, 99, 114, 101, 116]),
        Vector(
            name: "presigned", service: "iotdata", transport: .tls,
            request: SignedRequest(method: "GET", target: "/things/a%3Ab/shadow?name=x%20y&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fiotdata%2Faws4_request&X-Amz-Date=20150830T123600Z&X-Amz-Expires=3600&X-Amz-SignedHeaders=host&X-Amz-Signature=bc9f484a40f4e037fd818d0dcabb2f5b839209e155fe97d9ea0f99df9be999d3", fields: [
                .init("Host", "example.amazonaws.com"),
            ]), body: []),
        Vector(
            name: "presigned with a token", service: "iotdata", transport: .tls,
            request: SignedRequest(method: "GET", target: "/things/T/shadow?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fiotdata%2Faws4_request&X-Amz-Date=20150830T123600Z&X-Amz-Expires=3600&X-Amz-SignedHeaders=host&X-Amz-Security-Token=IQoJb3JpZ2luX2VjEXAMPLE%2Ftoken%2B%3D%3D&X-Amz-Signature=bb42fb1d34ed7080e677ac2be7e6b1f02003eead1fea55f0ae09011c98fb7b75", fields: [
                .init("Host", "example.amazonaws.com"),
            ]), body: []),
        Vector(
            name: "MQTT over WebSocket", service: "iotdevicegateway", transport: .tls,
            request: SignedRequest(method: "GET", target: "/mqtt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fiotdevicegateway%2Faws4_request&X-Amz-Date=20150830T123600Z&X-Amz-Expires=3600&X-Amz-SignedHeaders=host&X-Amz-Signature=62b87ac2b6d4803d8b3dbd6fc711f9e0673627cedaa0ed8d825250f5f7bcbef4", fields: [
                .init("Host", "example.amazonaws.com"),
            ]), body: []),
        Vector(
            name: "MQTT over WebSocket, token behind the signature", service: "iotdevicegateway", transport: .tls,
            request: SignedRequest(method: "GET", target: "/mqtt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fiotdevicegateway%2Faws4_request&X-Amz-Date=20150830T123600Z&X-Amz-Expires=3600&X-Amz-SignedHeaders=host&X-Amz-Signature=62b87ac2b6d4803d8b3dbd6fc711f9e0673627cedaa0ed8d825250f5f7bcbef4&X-Amz-Security-Token=IQoJb3JpZ2luX2VjEXAMPLE%2Ftoken%2B%3D%3D", fields: [
                .init("Host", "example.amazonaws.com"),
            ]), body: []),
        Vector(
            name: "awscrt: WebSocket", service: "iotdevicegateway", transport: .tls,
            request: SignedRequest(method: "GET", target: "/mqtt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fiotdevicegateway%2Faws4_request&X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders=host&X-Amz-Signature=91eb4b0cb866a89091938a5b903b0369fc35d1951547ae08b8c97e16bc7a6060", fields: [
                .init("Host", "localhost:8443"),
            ]), body: []),
        Vector(
            name: "awscrt: WebSocket, token behind the signature", service: "iotdevicegateway", transport: .tls,
            request: SignedRequest(method: "GET", target: "/mqtt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fiotdevicegateway%2Faws4_request&X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders=host&X-Amz-Security-Token=IQoJb3JpZ2luX2VjEXAMPLE%2Ftoken%2B%3D%3D&X-Amz-Signature=91eb4b0cb866a89091938a5b903b0369fc35d1951547ae08b8c97e16bc7a6060", fields: [
                .init("Host", "localhost:8443"),
            ]), body: []),
        Vector(
            name: "awscrt: presigned with a token", service: "iotdata", transport: .tls,
            request: SignedRequest(method: "GET", target: "/things/a%3Ab/shadow?name=x%20y&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fiotdata%2Faws4_request&X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders=host&X-Amz-Expires=60&X-Amz-Security-Token=IQoJb3JpZ2luX2VjEXAMPLE%2Ftoken%2B%3D%3D&X-Amz-Signature=6d2137ac58ed62ff4d9e1ab918226e749beba9d94c41657e5c2c7a9880be816e", fields: [
                .init("Host", "localhost:8443"),
            ]), body: []),
        Vector(
            name: "awscrt: fields", service: "iotdata", transport: .tls,
            request: SignedRequest(method: "POST", target: "/topics/a%2Fb?qos=1&contentType=text%2Fplain", fields: [
                .init("Host", "localhost:8443"),
                .init("x-amz-mqtt5-correlation-data", "AAE="),
                .init("X-Amz-Security-Token", "IQoJb3JpZ2luX2VjEXAMPLE/token+=="),
                .init("X-Amz-Date", "20150830T123600Z"),
                .init("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iotdata/aws4_request, SignedHeaders=host;x-amz-date;x-amz-mqtt5-correlation-data;x-amz-security-token, Signature=595fb63657867f46056085db99056acf302e2bf606db16b0efbd85703dcb5724"),
            ]), body: [104, 101, 108, 108, 111]),
        Vector(
            name: "awscrt: hash of the payload in a field", service: "iot-jobs-data", transport: .tls,
            request: SignedRequest(method: "PUT", target: "/things/T/jobs/%24next", fields: [
                .init("Host", "localhost:8443"),
                .init("X-Amz-Date", "20150830T123600Z"),
                .init("x-amz-content-sha256", "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"),
                .init("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iot-jobs-data/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=9886453f16d31953bfd899f8cf54c8b4b80a5e9c58c24453beb4f7811848e110"),
            ]), body: [123, 125]),
    ]
}
