# syntax=docker/dockerfile:1
#
# Two ways to build:
#   docker build .                                    the image has the OPA compiler and compiles policies/ at start
#   docker build --build-arg BUNDLE=bundle.tar.gz .   a prebuilt bundle: no compiler in the final stage

FROM node:24-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY . .
RUN npx tsc -p tsconfig.build.json

FROM node:24-bookworm-slim AS dependencies
ARG BUNDLE=""
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
# With a bundle the optional dependency, the OPA binary, is left out.
RUN npm ci --omit=dev --ignore-scripts $( [ -n "$BUNDLE" ] && echo --omit=optional )

FROM node:24-bookworm-slim
ARG BUNDLE=""
ENV NODE_ENV=production
WORKDIR /opt/sluice
COPY --from=dependencies /build/node_modules ./node_modules
COPY --from=build /build/dist ./dist
COPY package.json ./
COPY policies ./policies
COPY schemas ./schemas
COPY examples ./examples
# Nothing to copy where no bundle is given: README.md stands in, so that the instruction has a source.
COPY README.md ${BUNDLE} ./bundle/
RUN install -d -o node -g node /var/lib/sluice /etc/sluice && rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /opt/yarn*
USER node
VOLUME /var/lib/sluice
# The root file system may be read-only: only /var/lib/sluice (journal, index, policy cache) is written.
EXPOSE 8080 8081
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8081/readyz').then(r=>process.exit(r.ok?0:1),()=>process.exit(1))"]
# With `workers` in sluice.yaml this is the first of several processes; they inherit its flags and end with it.
# A small young generation keeps resident memory flat while long answers stream through (bench/RESULTS.md, Proxy).
ENTRYPOINT ["node", "--max-semi-space-size=8", "dist/main.js"]
CMD ["serve", "--config", "/etc/sluice/sluice.yaml"]
