type Theme = 'light' | 'dark'
const KEY = 'pgq-theme'
/** What the system prefers. */
const dark = matchMedia('(prefers-color-scheme: dark)')

/** Storage may be forbidden; then the choice lasts for this page. */
function stored(): string | null {
  try {
    return localStorage.getItem(KEY)
  } catch {
    return null
  }
}

/** What was chosen, or what the system prefers. */
export function currentTheme(): Theme {
  const chosen = stored()
  if (chosen === 'light' || chosen === 'dark') return chosen
  return dark.matches ? 'dark' : 'light'
}

/** Chooses, for the next time as well. */
export function setTheme(theme: Theme): void {
  document.documentElement.dataset['theme'] = theme
  try {
    localStorage.setItem(KEY, theme)
  } catch {
    // See above.
  }
}

/** Applies what was chosen before; the style sheet follows the system otherwise. */
export function applyTheme(): void {
  if (stored() !== null) document.documentElement.dataset['theme'] = currentTheme()
}

/** Calls back when the system prefers something else. Returns what ends it. */
export function onSystemTheme(onChange: () => void): () => void {
  dark.addEventListener('change', onChange)
  return () => dark.removeEventListener('change', onChange)
}
