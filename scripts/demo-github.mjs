// As much of GitHub's REST API as the comment on an issue needs, on this machine: the demo shows what would be seen there.
import { createServer } from 'node:http';

/** Resolves with its address and a function that stops it; `say` is told each change. */
export async function startGithub(say) {
  const comments = [];
  const shown = (text) => text.replace(/\s*<!--.*?-->\s*/gs, '');
  const routes = {
    'POST comments': ({ body }) => {
      const comment = {
        id: comments.length + 1,
        body,
        html_url: 'https://github.com/ada-example/lighthouse',
        user: { login: 'demo' },
      };
      comments.push(comment);
      say(`GitHub: a comment on the issue: "${shown(body)}"`);
      return [201, comment];
    },
    'PATCH comment': ({ body }, id) => {
      const comment = Object.assign(comments[id - 1], { body });
      say(`GitHub: the comment reads now: "${shown(body)}"`);
      return [200, comment];
    },
    'GET comments': () => [200, comments],
    'PATCH issue': ({ state }) => {
      say(`GitHub: the issue is ${state}`);
      return [200, { state }];
    },
    'POST labels': ({ labels }) => {
      say(`GitHub: the issue has the label ${labels.join(', ')}`);
      return [200, labels.map((name) => ({ name }))];
    },
  };
  const nameOf = (path) =>
    /\/issues\/comments\/\d+$/.test(path) ? 'comment' : (/\/(comments|labels)$/.exec(path)?.[1] ?? 'issue');
  const server = createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const { pathname } = new URL(request.url, 'http://localhost');
      const route = routes[`${request.method} ${nameOf(pathname)}`];
      const body = chunks.length > 0 ? JSON.parse(Buffer.concat(chunks).toString()) : {};
      const [status, answer] = route?.(body, Number(pathname.split('/').at(-1))) ?? [
        404,
        { message: 'Not Found' },
      ];
      response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer));
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    stop: () => {
      server.closeAllConnections();
      return new Promise((done) => server.close(done));
    },
  };
}
