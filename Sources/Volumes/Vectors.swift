package func dot(_ a: SIMD3<Double>, _ b: SIMD3<Double>) -> Double { (a * b).sum() }

package func cross(_ a: SIMD3<Double>, _ b: SIMD3<Double>) -> SIMD3<Double> {
  SIMD3(a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x)
}

package func length(_ a: SIMD3<Double>) -> Double { dot(a, a).squareRoot() }

/// The directions in which a row and a column of the image run. The caller has checked that Image
/// Orientation (Patient) has six values.
package func directions(_ frame: ImageFrame) -> (row: SIMD3<Double>, column: SIMD3<Double>) {
  let values = frame.imageOrientation
  return (SIMD3(values[0], values[1], values[2]), SIMD3(values[3], values[4], values[5]))
}

/// The place of the image's first pixel in mm; Image Position (Patient) has three values.
package func position(_ frame: ImageFrame) -> SIMD3<Double> {
  SIMD3(frame.imagePosition[0], frame.imagePosition[1], frame.imagePosition[2])
}

/// The normal of an image's plane: a row's direction × a column's direction, of length one; zero
/// where the two give none.
package func unitNormal(_ frame: ImageFrame) -> SIMD3<Double> {
  let (row, column) = directions(frame)
  let product = cross(row, column)
  return length(product) > 1e-6 ? product / length(product) : product
}
