import { defineConfig } from 'vite'

/** The interface as two files, which the server reads when it is made. */
export default defineConfig({
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  publicDir: false,
  build: {
    outDir: 'dist/ui',
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: false,
    rollupOptions: {
      input: 'ui/main.tsx',
      output: { entryFileNames: 'app.js', assetFileNames: 'app.[ext]' },
    },
  },
})
