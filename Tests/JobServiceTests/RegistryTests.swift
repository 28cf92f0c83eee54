//  Section 10 and the registry events of 16: things, groups and who is in them.
import JobService
import Testing

private let arn = "arn:aws:iot:us-east-1:000000000000:"

private func member(_ thing: String, _ group: String) -> String {
    #"{"thingName":"\#(thing)","thingGroupName":"\#(group)"}"#
}

/// An answer with `thingId` and `thingGroupId` replaced by `I`.
private func plain(_ answer: String) -> String {
    answer.replacing(#/"(thingId|thingGroupId|groupId|parentGroupId|childGroupId)":"[0-9a-f-]{36}"/#) {
        "\"\($0.output.1)\":\"I\""
    }
}

@Test("10: CreateThing, again with the same and with another configuration [AWS-10-2] [AWS-16-5] [AWS-1.3-2]")
func createThing() {
    var desk = Desk(at: 5)
    let body = #"{"thingTypeName":"lamp","attributePayload":{"attributes":{"b":"2","a":"1","gone":""}}}"#
    let answer = desk.iot("POST", "/things/T", body)
    #expect(plain(answer) == #"200 {"thingName":"T","thingArn":"\#(arn)thing/T","thingId":"I"}"#)
    #expect(
        desk.heard().map(plain) == [
            #"$aws/events/thing/T/created {"eventType":"THING_EVENT","eventId":"E","timestamp":5000,"operation":"CREATED","#
                + #""accountId":"000000000000","thingId":"I","thingName":"T","versionNumber":1,"thingTypeName":"lamp","#
                + #""attributes":{"a":"1","b":"2"}}"#
        ])
    #expect(desk.iot("POST", "/things/T", body) == answer)
    #expect(desk.heard() == [])
    let taken = "409 ResourceAlreadyExistsException Thing 'T' already exists with another configuration \(arn)thing/T"
    #expect(desk.iot("POST", "/things/T") == taken)
    #expect(desk.iot("POST", "/things/T", #"{"thingTypeName":"lamp"}"#) == taken)
}

@Test("10: DescribeThing and UpdateThing [AWS-10-3] [AWS-10-4] [AWS-10-19]")
func updateThing() {
    var desk = Desk(at: 5, things: ["T"])
    func update(_ body: String) -> String { desk.iot("PATCH", "/things/T", body) }
    func describe() -> String { plain(desk.iot("GET", "/things/T")) }
    func thing(_ type: String, _ attributes: String, _ version: Int) -> String {
        #"200 {"defaultClientId":"T","thingName":"T","thingId":"I","thingArn":"\#(arn)thing/T",\#(type)"#
            + #""attributes":{\#(attributes)},"version":\#(version)}"#
    }
    #expect(describe() == thing("", "", 1))
    #expect(update(#"{"thingTypeName":"lamp","attributePayload":{"attributes":{"a":"1","b":"2"}}}"#) == "200")
    #expect(describe() == thing(#""thingTypeName":"lamp","#, #""a":"1","b":"2""#, 2))
    #expect(update(#"{"attributePayload":{"attributes":{"b":"","c":"3"},"merge":true},"expectedVersion":2}"#) == "200")
    #expect(describe() == thing(#""thingTypeName":"lamp","#, #""a":"1","c":"3""#, 3))
    #expect(update(#"{"attributePayload":{"attributes":{"d":"4"}},"removeThingType":true}"#) == "200")
    #expect(describe() == thing("", #""d":"4""#, 4))
    #expect(update(#"{"expectedVersion":3}"#) == "409 VersionConflictException Version conflict")
    #expect(
        update(#"{"removeThingType":true,"thingTypeName":"x"}"#)
            == "400 InvalidRequestException Invalid value at 'removeThingType': not together with thingTypeName")
    #expect(describe() == thing("", #""d":"4""#, 4))
    #expect(desk.iot("PATCH", "/things/X", "{}") == "404 ResourceNotFoundException Thing 'X' does not exist")
    #expect(desk.iot("GET", "/things/X") == "404 ResourceNotFoundException Thing 'X' does not exist")
    #expect(desk.heard().map { $0.prefix { $0 != " " } } == Array(repeating: "$aws/events/thing/T/updated", count: 3))
}

@Test("10: DeleteThing succeeds for unknown things too [AWS-10-5] [AWS-16-5]")
func deleteThing() {
    var desk = Desk(at: 5, things: ["T"])
    #expect(desk.iot("DELETE", "/things/X?expectedVersion=9") == "200")
    #expect(desk.iot("DELETE", "/things/T?expectedVersion=2") == "409 VersionConflictException Version conflict")
    #expect(desk.heard() == [])
    #expect(desk.iot("DELETE", "/things/T?expectedVersion=1") == "200")
    #expect(desk.heard().map { $0.prefix { $0 != " " } } == ["$aws/events/thing/T/deleted"])
    #expect(desk.iot("GET", "/things/T").hasPrefix("404"))
}

private let badThings: [(path: String, body: String, place: String)] = [
    ("a%2Fb", "", "thingName"), ("", "", "thingName"), (String(repeating: "t", count: 129), "", "thingName"),
    ("T", #"{"thingTypeName":"a b"}"#, "thingTypeName"), ("T", #"{"attributePayload":1}"#, "attributePayload"),
    ("T", #"{"attributePayload":{"attributes":{"a b":"x"}}}"#, "attributePayload.attributes"),
    ("T", #"{"attributePayload":{"attributes":{"a":"x y"}}}"#, "attributePayload.attributes"),
    ("T", #"{"attributePayload":{"attributes":{"a":1}}}"#, "attributePayload.attributes"),
    (
        "T", #"{"attributePayload":{"attributes":{"\#(String(repeating: "a", count: 129))":"x"}}}"#,
        "attributePayload.attributes"
    ),
    (
        "T", #"{"attributePayload":{"attributes":{"a":"\#(String(repeating: "a", count: 801))"}}}"#,
        "attributePayload.attributes"
    ),
    (
        "T", #"{"attributePayload":{"attributes":{\#((0..<51).map { "\"a\($0)\":\"x\"" }.joined(separator: ","))}}}"#,
        "attributePayload.attributes"
    ),
]

@Test("1.1: names, attributes and their bounds [AWS-1.1-1] [AWS-1.1-5] [AWS-1.1-6] [AWS-1.1-10]", arguments: badThings)
func badThing(_ row: (path: String, body: String, place: String)) {
    var desk = Desk()
    let answer = desk.iot("POST", "/things/\(row.path)", row.body)
    #expect(answer.hasPrefix("400 InvalidRequestException Invalid value at '\(row.place)'"), "\(answer)")
    #expect(desk.things.isEmpty)
}

@Test("1.1: the longest names and values [AWS-1.1-1] [AWS-1.1-6] [AWS-1.1-9]")
func longestNames() {
    var desk = Desk()
    let attribute = #"{"attributePayload":{"attributes":{"\#(String(repeating: "#", count: 128))":"#
    let body = attribute + #""\#(String(repeating: "]", count: 800))"}}}"#
    #expect(desk.iot("POST", "/things/\(String(repeating: ":", count: 128))", body).hasPrefix("200"))
    #expect(desk.iot("POST", "/things/a%3Ab").contains(#""thingName":"a:b""#))
}

@Test("10: ListThings filters and pages [AWS-10-6]")
func listThings() {
    var desk = Desk()
    let bodies = [
        "A": #"{"thingTypeName":"lamp","attributePayload":{"attributes":{"room":"hall"}}}"#,
        "B": #"{"attributePayload":{"attributes":{"room":"hallway","floor":"1"}}}"#, "C": "",
    ]
    for (name, body) in bodies {
        _ = desk.iot("POST", "/things/\(name)", body)
    }
    func names(_ query: String) -> String {
        desk.iot("GET", "/things\(query)").matches(of: #/"thingName":"([A-Z])"/#).map { String($0.output.1) }.joined()
    }
    #expect(names("") == "ABC")
    #expect(names("?thingTypeName=lamp") == "A")
    #expect(names("?attributeName=room") == "AB")
    #expect(names("?attributeName=room&attributeValue=hall") == "A")
    #expect(names("?attributeName=room&attributeValue=hall&usePrefixAttributeValue=true") == "AB")
    #expect(names("?attributeName=floor&attributeValue=hall") == "")
    #expect(names("?maxResults=2&nextToken=n41") == "BC")
    #expect(
        desk.iot("GET", "/things?maxResults=1")
            == #"200 {"things":[{"thingName":"A","thingTypeName":"lamp","thingArn":"\#(arn)thing/A","#
            + #""attributes":{"room":"hall"},"version":1}],"nextToken":"n41"}"#)
    #expect(desk.iot("GET", "/things?usePrefixAttributeValue=1").hasPrefix("400"))
}

// MARK: - Groups

@Test(
    "10: CreateThingGroup, DescribeThingGroup, UpdateThingGroup [AWS-10-7] [AWS-10-8] [AWS-10-9] [AWS-16-6] [AWS-16-8]")
func groups() {
    var desk = Desk(at: 5)
    let answer = desk.iot("POST", "/thing-groups/P")
    #expect(plain(answer) == #"200 {"thingGroupName":"P","thingGroupArn":"\#(arn)thinggroup/P","thingGroupId":"I"}"#)
    #expect(desk.iot("POST", "/thing-groups/P") == answer)
    _ = desk.heard()
    let body =
        #"{"parentGroupName":"P","thingGroupProperties":{"thingGroupDescription":"d","attributePayload":{"attributes":{"a":"1"}}}}"#
    #expect(desk.iot("POST", "/thing-groups/C", body).hasPrefix("200"))
    #expect(
        desk.heard().map(plain) == [
            #"$aws/events/thingGroup/C/created {"eventType":"THING_GROUP_EVENT","eventId":"E","timestamp":5000,"#
                + #""operation":"CREATED","accountId":"000000000000","thingGroupId":"I","thingGroupName":"C","#
                + #""versionNumber":1,"parentGroupName":"P","parentGroupId":"I","description":"d","attributes":{"a":"1"}}"#,
            #"$aws/events/thingGroupHierarchy/thingGroup/P/childThingGroup/C/added {"#
                + #""eventType":"THING_GROUP_HIERARCHY_EVENT","eventId":"E","timestamp":5000,"operation":"ADDED","#
                + #""accountId":"000000000000","thingGroupId":"I","thingGroupName":"P","childGroupId":"I","#
                + #""childGroupName":"C"}"#,
        ])
    #expect(
        desk.iot("POST", "/thing-groups/C")
            == "409 ResourceAlreadyExistsException Thing group 'C' already exists with another configuration "
            + "\(arn)thinggroup/C")
    #expect(
        plain(desk.iot("GET", "/thing-groups/C"))
            == #"200 {"thingGroupName":"C","thingGroupArn":"\#(arn)thinggroup/C","thingGroupId":"I","version":1,"#
            + #""thingGroupProperties":{"thingGroupDescription":"d","attributePayload":{"attributes":{"a":"1"}}},"#
            + #""thingGroupMetadata":{"parentGroupName":"P","rootToParentThingGroups":[{"groupName":"P","#
            + #""groupArn":"\#(arn)thinggroup/P"}],"creationDate":5}}"#)
    let update = #"{"thingGroupProperties":{"thingGroupDescription":"e"},"expectedVersion":1}"#
    #expect(desk.iot("PATCH", "/thing-groups/C", update) == #"200 {"version":2}"#)
    #expect(desk.iot("PATCH", "/thing-groups/C", update) == "409 VersionConflictException Version conflict")
    #expect(
        desk.iot("GET", "/thing-groups/C").contains(
            #""thingGroupDescription":"e","attributePayload":{"attributes":{"a":"1"}}"#))
    #expect(desk.iot("GET", "/thing-groups/X") == "404 ResourceNotFoundException Thing group 'X' does not exist")
    #expect(
        desk.iot("POST", "/thing-groups/D", #"{"parentGroupName":"X"}"#)
            == "404 ResourceNotFoundException Thing group 'X' does not exist")
}

@Test(
    "10: DeleteThingGroup: unknown ones too, 400 while there are child groups, members stay things [AWS-10-10] [AWS-16-6] [AWS-16-8]"
)
func deleteGroup() {
    var desk = Desk(things: ["T"])
    _ = desk.iot("POST", "/thing-groups/P")
    _ = desk.iot("POST", "/thing-groups/C", #"{"parentGroupName":"P"}"#)
    _ = desk.iot("PUT", "/thing-groups/addThingToThingGroup", member("T", "C"))
    _ = desk.heard()
    #expect(desk.iot("DELETE", "/thing-groups/X") == "200")
    #expect(desk.iot("DELETE", "/thing-groups/P") == "400 InvalidRequestException Thing group 'P' has child groups")
    #expect(desk.iot("DELETE", "/thing-groups/C?expectedVersion=2").hasPrefix("409 VersionConflictException"))
    #expect(desk.heard() == [])
    #expect(desk.iot("DELETE", "/thing-groups/C?expectedVersion=1") == "200")
    #expect(
        desk.heard().map { $0.prefix { $0 != " " } } == [
            "$aws/events/thingGroup/C/deleted",
            "$aws/events/thingGroupHierarchy/thingGroup/P/childThingGroup/C/removed",
        ])
    #expect(desk.iot("GET", "/things/T").hasPrefix("200"))
    #expect(desk.iot("GET", "/things/T/thing-groups") == #"200 {"thingGroups":[]}"#)
    #expect(desk.iot("DELETE", "/thing-groups/P") == "200")
}

@Test("10: depth 7, 100 direct children, a thing in at most 10 groups [AWS-10-20]")
func groupBounds() {
    var desk = Desk(things: ["T"])
    _ = desk.iot("POST", "/thing-groups/L1")
    for level in 2...8 {
        let answer = desk.iot("POST", "/thing-groups/L\(level)", #"{"parentGroupName":"L\#(level - 1)"}"#)
        #expect(answer.hasPrefix(level < 8 ? "200" : "400 InvalidRequestException"), "\(answer)")
    }
    for child in 1...100 {
        let answer = desk.iot("POST", "/thing-groups/C\(child)", #"{"parentGroupName":"L1"}"#)
        #expect(answer.hasPrefix(child < 100 ? "200" : "400 InvalidRequestException"), "\(answer)")
    }
    for group in 1...11 {
        let answer = desk.iot("PUT", "/thing-groups/addThingToThingGroup", member("T", "C\(group)"))
        #expect(answer.hasPrefix(group < 11 ? "200" : "400 InvalidRequestException"), "\(answer)")
    }
}

@Test("10: adding and removing, by name or by ARN; repeating is harmless [AWS-10-1] [AWS-10-12] [AWS-10-13] [AWS-16-7]")
func membership() {
    var desk = Desk(at: 5, things: ["T"])
    _ = desk.iot("POST", "/thing-groups/G")
    _ = desk.heard()
    let path = "/thing-groups/addThingToThingGroup"
    #expect(desk.iot("PUT", path, #"{"thingArn":"\#(arn)thing/T","thingGroupArn":"\#(arn)thinggroup/G"}"#) == "200")
    #expect(
        plain(desk.heard().joined()) == #"$aws/events/thingGroupMembership/thingGroup/G/thing/T/added {"#
            + #""eventType":"THING_GROUP_MEMBERSHIP_EVENT","eventId":"E","timestamp":5000,"operation":"ADDED","#
            + #""accountId":"000000000000","groupArn":"\#(arn)thinggroup/G","groupId":"I","thingArn":"\#(arn)thing/T","#
            + #""thingId":"I"}"#)
    #expect(desk.iot("PUT", path, member("T", "G")) == "200")
    #expect(desk.heard() == [])
    #expect(desk.iot("PUT", path, member("X", "G")) == "404 ResourceNotFoundException Thing 'X' does not exist")
    #expect(desk.iot("PUT", path, member("T", "X")) == "404 ResourceNotFoundException Thing group 'X' does not exist")
    for body in ["{}", #"{"thingName":"T"}"#, #"{"thingArn":"\#(arn)thinggroup/T","thingGroupName":"G"}"#] {
        #expect(desk.iot("PUT", path, body).hasPrefix("400 InvalidRequestException"), "\(body)")
    }
    let remove = "/thing-groups/removeThingFromThingGroup"
    #expect(desk.iot("PUT", remove, member("X", "G")) == "404 ResourceNotFoundException Thing 'X' does not exist")
    #expect(desk.iot("PUT", remove, member("T", "X")) == "404 ResourceNotFoundException Thing group 'X' does not exist")
    #expect(desk.iot("PUT", remove, member("T", "G")) == "200")
    #expect(desk.heard("$aws/events/thingGroupMembership/thingGroup/G/thing/T/").first?.hasPrefix("removed {") == true)
    #expect(desk.iot("PUT", remove, member("T", "G")) == "200")
    #expect(desk.heard() == [])
}

@Test("10: UpdateThingGroupsForThing [AWS-10-15] [AWS-10-16]")
func updateMembership() {
    var desk = Desk(things: ["T"])
    for group in ["A", "B", "C"] {
        _ = desk.iot("POST", "/thing-groups/\(group)")
    }
    _ = desk.iot("PUT", "/thing-groups/addThingToThingGroup", member("T", "A"))
    #expect(
        desk.iot(
            "PUT", "/thing-groups/updateThingGroupsForThing",
            #"{"thingName":"T","thingGroupsToAdd":["C","B"],"thingGroupsToRemove":["A"]}"#) == "200")
    let groups = ["B", "C"].map { #"{"groupName":"\#($0)","groupArn":"\#(arn)thinggroup/\#($0)"}"# }
    #expect(
        desk.iot("GET", "/things/T/thing-groups") == #"200 {"thingGroups":[\#(groups.joined(separator: ","))]}"#)
    #expect(desk.iot("GET", "/things/X/thing-groups").hasPrefix("404"))
}

@Test(
    "10: things in a group, with and without those of child groups; groups by parent and prefix [AWS-10-11] [AWS-10-14]"
)
func groupLists() {
    var desk = Desk(things: ["A", "B", "C"])
    _ = desk.iot("POST", "/thing-groups/P")
    _ = desk.iot("POST", "/thing-groups/Q", #"{"parentGroupName":"P"}"#)
    _ = desk.iot("POST", "/thing-groups/QR", #"{"parentGroupName":"Q"}"#)
    for (thing, group) in [("A", "P"), ("B", "Q"), ("C", "QR")] {
        _ = desk.iot("PUT", "/thing-groups/addThingToThingGroup", member(thing, group))
    }
    #expect(desk.iot("GET", "/thing-groups/P/things") == #"200 {"things":["A"]}"#)
    #expect(desk.iot("GET", "/thing-groups/P/things?recursive=true") == #"200 {"things":["A","B","C"]}"#)
    #expect(
        desk.iot("GET", "/thing-groups/P/things?recursive=true&maxResults=2")
            == #"200 {"things":["A","B"],"nextToken":"n42"}"#)
    #expect(desk.iot("GET", "/thing-groups/X/things").hasPrefix("404"))
    func names(_ query: String) -> String {
        desk.iot("GET", "/thing-groups\(query)").matches(of: #/"groupName":"([A-Z]+)"/#).map { String($0.output.1) }
            .joined(separator: " ")
    }
    #expect(names("") == "P Q QR")
    #expect(names("?recursive=false") == "P")
    #expect(names("?parentGroup=P") == "Q QR")
    #expect(names("?parentGroup=P&recursive=false") == "Q")
    #expect(names("?namePrefixFilter=Q") == "Q QR")
}
