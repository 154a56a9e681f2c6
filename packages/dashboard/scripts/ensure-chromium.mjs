// Installs Chromium for the tests in a browser and for the screenshots, from the distribution's packages, where there is apt and this is root. It never
// fails: without a browser those tests are skipped, and say so.
import { spawnSync } from 'node:child_process'
import { findChromium } from './chromium.mjs'

if (findChromium() === undefined && process.getuid?.() === 0) install()
console.log(
  findChromium() ??
    'SKIPPED: there is no Chromium on this machine, and it cannot be installed. CHROMIUM names one that is elsewhere.',
)

function install() {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const apt = (...args) =>
    spawnSync('apt-get', ['-qq', '-o', 'DPkg::Lock::Timeout=60', ...args], { env, stdio: ['ignore', 2, 2] })
      .status === 0
  const ask = ['install', '--yes', '--no-install-recommends', 'chromium']
  // Most images come without the lists of packages.
  if (!apt(...ask) && apt('update')) apt(...ask)
}
