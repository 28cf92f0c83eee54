import ByteKit

extension JobConfiguration {
    /// Characters of a description or a comment.
    static let textLengths = 1...2028
    /// Minutes of a timer (1.2).
    static let timerMinutes: ClosedRange<UInt64> = 1...10_080
    /// Criteria of one abort configuration (our bound).
    private static let abortCriteria = 1...10
    /// Package versions of one job (our bound).
    private static let packageCount = 0...25
    /// Retries over all kinds of failure (1.2).
    private static let allRetries: UInt64 = 10

    /// Reads the members of CreateJob and UpdateJob.
    init(_ fields: Fields) throws(IoTRefusal) {
        description = try fields.text("description", "1 to 2028 characters without controls") {
            IoTNames.isText($0, Self.textLengths)
        }
        presignedURL = try Self.presigned(fields)
        rollout = try fields.object("jobExecutionsRolloutConfig").map(Self.rollout)
        abort = try fields.object("abortConfig").map(Self.abort) ?? []
        timeoutMinutes = try fields.object("timeoutConfig").flatMap { timeout throws(IoTRefusal) in
            try timeout.integer("inProgressTimeoutInMinutes", Self.timerMinutes)
        }
        retry = try fields.object("jobExecutionsRetryConfig").map(Self.retry) ?? []
        schedule = try fields.object("schedulingConfig").map(Self.schedule)
        documentParameters = try fields.raw("documentParameters")
        packageVersions = try fields.texts("destinationPackageVersions", Self.packageCount) {
            (1...1600).contains($0.utf8.count)
        }
    }

    private static func presigned(_ fields: Fields) throws(IoTRefusal) -> [UInt8]? {
        guard let object = try fields.object("presignedUrlConfig") else { return nil }
        _ = try object.text("roleArn", "20 to 2048 characters") { (20...2048).contains($0.utf8.count) }
        _ = try object.integer("expiresInSec", 60...3600)
        return try fields.raw("presignedUrlConfig")
    }

    private static func rollout(_ fields: Fields) throws(IoTRefusal) -> RolloutConfiguration {
        let maximum = try fields.integer("maximumPerMinute", 1...RolloutConfiguration.fastest)
        return RolloutConfiguration(
            maximumPerMinute: maximum, exponential: try fields.object("exponentialRate").map(exponential))
    }

    private static func exponential(_ fields: Fields) throws(IoTRefusal) -> RolloutConfiguration.Exponential {
        let base = try fields.integer("baseRatePerMinute", 1...RolloutConfiguration.fastest)
        let factor = try fields.scaled("incrementFactor", digits: 1, 11...50, "1.1 to 5 with one decimal")
        let criteria = try fields.object("rateIncreaseCriteria")
        guard let base else { throw fields.missing("baseRatePerMinute") }
        guard let factor else { throw fields.missing("incrementFactor") }
        guard let criteria else { throw fields.missing("rateIncreaseCriteria") }
        let growth = RolloutConfiguration.Exponential(
            basePerMinute: base, factorTenths: factor,
            notifiedThings: try criteria.integer("numberOfNotifiedThings", 1...UInt64(Int32.max)),
            succeededThings: try criteria.integer("numberOfSucceededThings", 1...UInt64(Int32.max)))
        guard growth.notifiedThings != nil || growth.succeededThings != nil else {
            throw fields.invalid("rateIncreaseCriteria", "numberOfNotifiedThings or numberOfSucceededThings")
        }
        return growth
    }

    private static func abort(_ fields: Fields) throws(IoTRefusal) -> [AbortCriterion] {
        guard let list = try fields.objects("criteriaList", abortCriteria) else { throw fields.missing("criteriaList") }
        return try list.map { criterion throws(IoTRefusal) in
            guard try criterion.text("action", "CANCEL", { $0 == "CANCEL" }) != nil else {
                throw criterion.missing("action")
            }
            guard let type = try criterion.word("failureType", FailureType.self) else {
                throw criterion.missing("failureType")
            }
            let least = try criterion.integer("minNumberOfExecutedThings", 1...UInt64(Int32.max))
            guard let least else { throw criterion.missing("minNumberOfExecutedThings") }
            let share = try criterion.scaled(
                "thresholdPercentage", digits: 2, 1...10_000, "more than 0 to 100 with two decimals")
            guard let share else { throw criterion.missing("thresholdPercentage") }
            return AbortCriterion(failureType: type, minimumExecuted: least, thresholdHundredths: share)
        }
    }

    private static func retry(_ fields: Fields) throws(IoTRefusal) -> [RetryCriterion] {
        guard let list = try fields.objects("criteriaList", 1...2) else { throw fields.missing("criteriaList") }
        let criteria = try list.map { criterion throws(IoTRefusal) in
            guard let type = try criterion.word("failureType", FailureType.self) else {
                throw criterion.missing("failureType")
            }
            guard type != .rejected else {
                throw criterion.invalid("failureType", "one of FAILED, TIMED_OUT, ALL")
            }
            guard let retries = try criterion.integer("numberOfRetries", 0...allRetries) else {
                throw criterion.missing("numberOfRetries")
            }
            return RetryCriterion(failureType: type, retries: retries)
        }
        guard criteria.reduce(0, { $0 + $1.retries }) <= allRetries else {
            throw fields.invalid("criteriaList", "at most 10 retries together")
        }
        return criteria
    }

    private static func schedule(_ fields: Fields) throws(IoTRefusal) -> Schedule {
        func minute(_ name: StaticString) throws(IoTRefusal) -> UTCMinute? {
            try fields.text(name, "YYYY-MM-DD HH:MM") { UTCMinute($0) != nil }.flatMap { UTCMinute($0) }
        }
        // A job that ignored its windows would reach devices at forbidden hours.
        if let windows = try fields.objects("maintenanceWindows", 0...100), !windows.isEmpty {
            throw fields.invalid("maintenanceWindows", "not supported")
        }
        return Schedule(
            start: try minute("startTime"), end: try minute("endTime"),
            endBehavior: try fields.word("endBehavior", EndBehavior.self))
    }
}

// MARK: - Writing

extension JobConfiguration {
    /// Reads what `stored` wrote; nil for anything else.
    package init?(stored text: [UInt8]) {
        guard let fields = try? Fields(text.span), let configuration = try? JobConfiguration(fields) else { return nil }
        self = configuration
    }

    /// The configuration as JSON, to be kept.
    package var stored: [UInt8] { .object { write(to: &$0) } }

    /// Writes the members as DescribeJob shows them.
    func write(to object: inout JSONObject) {
        object.string("description", description)
        object.raw("presignedUrlConfig", presignedURL)
        object.raw("jobExecutionsRolloutConfig", rollout?.text)
        object.raw("abortConfig", Self.criteria(abort.map(\.text)))
        let timeout = timeoutMinutes.map { minutes in
            [UInt8].object { $0.number("inProgressTimeoutInMinutes", minutes) }
        }
        object.raw("timeoutConfig", timeout)
        object.raw("jobExecutionsRetryConfig", Self.criteria(retry.map(\.text)))
        object.raw("schedulingConfig", schedule?.text)
        object.raw("documentParameters", documentParameters)
        object.texts("destinationPackageVersions", packageVersions)
    }

    private static func criteria(_ list: [[UInt8]]) -> [UInt8]? {
        list.isEmpty ? nil : .object { $0.list("criteriaList", list) }
    }
}

extension RolloutConfiguration {
    fileprivate var text: [UInt8] {
        .object {
            $0.number("maximumPerMinute", maximumPerMinute)
            $0.raw("exponentialRate", exponential?.text)
        }
    }
}

extension RolloutConfiguration.Exponential {
    fileprivate var text: [UInt8] {
        .object {
            $0.number("baseRatePerMinute", basePerMinute)
            $0.raw("incrementFactor", .decimal(factorTenths, digits: 1))
            $0.raw(
                "rateIncreaseCriteria",
                .object {
                    $0.number("numberOfNotifiedThings", notifiedThings)
                    $0.number("numberOfSucceededThings", succeededThings)
                })
        }
    }
}

extension AbortCriterion {
    fileprivate var text: [UInt8] {
        .object {
            $0.string("failureType", failureType.rawValue)
            $0.string("action", "CANCEL")
            $0.raw("thresholdPercentage", .decimal(thresholdHundredths, digits: 2))
            $0.number("minNumberOfExecutedThings", minimumExecuted)
        }
    }
}

extension RetryCriterion {
    fileprivate var text: [UInt8] {
        .object {
            $0.string("failureType", failureType.rawValue)
            $0.number("numberOfRetries", retries)
        }
    }
}

extension Schedule {
    fileprivate var text: [UInt8] {
        .object {
            $0.string("startTime", start?.text)
            $0.string("endTime", end?.text)
            $0.string("endBehavior", endBehavior?.rawValue)
        }
    }
}

extension [UInt8] {
    /// A number that counts tenths (one digit) or hundredths (two) as JSON.
    static func decimal(_ value: UInt64, digits: Int) -> [UInt8] {
        let unit: UInt64 = digits == 1 ? 10 : 100
        var text: [UInt8] = []
        text.appendDecimal(value / unit)
        text.append(UInt8(ascii: "."))
        if digits == 2 { text.append(UInt8(48 + value % unit / 10)) }
        text.append(UInt8(48 + value % 10))
        return text
    }
}
