extension DICOMFile {
  /// The values of elements at the top of a file as they are on disk, byte for byte and with their
  /// padding, without any parser but the walk over the file's structure.
  ///
  /// - Parameters:
  ///   - tags: of elements that are no sequences; those that the file lacks are left out.
  ///   - path: of the file.
  /// - Throws: ``DICOMError`` where the file cannot be read or its structure is damaged.
  public static func storedValues(
    of tags: Set<Tag>, path: String
  ) throws(DICOMError) -> [Tag: [UInt8]] {
    let bytes = try load(path)
    let found: Result<[Tag: [UInt8]], DICOMError> = bytes.withUnsafeBytes { raw in
      Result { () throws(DICOMError) in
        let structure = try FileStructure(scanning: raw, file: path, valuesOf: tags)
        return structure.values.mapValues { Array(raw[$0]) }
      }
    }
    return try found.get()
  }

  /// A file with values of elements as they are on disk, by one walk over its structure. The file is mapped: of its
  /// pixels nothing is read.
  ///
  /// - Parameters:
  ///   - path: of a file that nobody writes to or cuts off in the meantime, as of a result of ours.
  ///   - tags: of elements at the top or in the file meta information that are no sequences; those that the file
  ///     lacks are left out.
  /// - Throws: ``DICOMError`` where the file cannot be read or its structure is damaged.
  package static func mapped(
    path: String, storedValuesOf tags: Set<Tag>
  ) throws(DICOMError) -> (file: DICOMFile, stored: [Tag: [UInt8]]) {
    let bytes = try contents(of: path, mapped: true)
    let file = try DICOMFile(path: path, bytes: bytes, valuesOf: tags)
    let stored = bytes.withUnsafeBytes { raw in
      file.structure.values.mapValues { Array(raw[$0]) }
    }
    return (file, stored)
  }
}
