import GRDB

/// Statements that run for every instance are compiled once for each connection, which takes longer
/// than to run them.
extension Database {
  func executeCached(sql: String, arguments: StatementArguments) throws {
    try cachedStatement(sql: sql).execute(arguments: arguments)
  }
}

extension DatabaseValueConvertible where Self: StatementColumnConvertible {
  static func fetchOneCached(_ db: Database, sql: String, arguments: StatementArguments) throws
    -> Self?
  {
    try fetchOne(db.cachedStatement(sql: sql), arguments: arguments)
  }

  static func fetchAllCached(_ db: Database, sql: String, arguments: StatementArguments) throws
    -> [Self]
  {
    try fetchAll(db.cachedStatement(sql: sql), arguments: arguments)
  }
}
