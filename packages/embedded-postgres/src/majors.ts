/** The release that is used for each major; 18 comes with this package, the others are fetched when first asked for. */
const releases: Readonly<Record<number, string>> = {
  14: '14.23.0-beta.17',
  15: '15.18.0-beta.17',
  16: '16.14.0-beta.17',
  17: '17.10.0-beta.17',
  18: '18.4.0-beta.17',
}

/** The major whose binaries are a dependency of this package. */
export const bundledMajor = 18

/** Every PostgreSQL major that can be started, oldest first. */
export const majors: readonly number[] = Object.keys(releases).map(Number)

/** The major to start when the caller names none: `PG_MAJOR`, so that a whole suite can be run on another one. */
export function defaultMajor(): number {
  const asked = process.env['PG_MAJOR']
  return asked === undefined || asked === '' ? bundledMajor : Number(asked)
}

/** The release of a major. Throws for one that is not supported. */
export function releaseOf(major: number): string {
  const release = releases[major]
  if (release === undefined) {
    throw new Error(`No PostgreSQL ${major} here; there is ${majors.join(', ')} (is PG_MAJOR right?)`)
  }
  return release
}
