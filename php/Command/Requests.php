<?php

declare(strict_types=1);

namespace Proletarier\Command;

/**
 * Long requests, in as many pages as the daemon makes of them: it looks at a bounded part of its store for each.
 */
final class Requests
{
    /** Items of a page, which the daemon may make smaller. */
    private const PAGE = 100;

    /**
     * @param object $control the service Proletarier\Control
     */
    public function __construct(private object $control)
    {
    }

    /**
     * The pages of a list that have something; returns whether there may be more than `$limit`.
     *
     * @param string $key of the answer, where the items are
     * @param array<string, string> $filter
     * @param array<string, mixed> $more of the request
     *
     * @return \Generator<int, list<array<string, mixed>>, void, bool>
     */
    public function pages(string $command, string $key, array $filter, int $limit, array $more = []): \Generator
    {
        $after = 0;
        while ($limit > 0) {
            $request = ['command' => $command, 'after' => $after, 'limit' => min(self::PAGE, $limit), 'filter' => (object) $filter];
            $answer = $this->control->request($request + $more);
            if ($answer[$key] !== []) {
                yield $answer[$key];
            }
            $limit -= count($answer[$key]);
            $after = $answer['next'] ?? null;
            if ($after === null) {
                return false;
            }
        }

        return true;
    }

    /**
     * Does something to all that the filter fits; what was done, and what could not be (`running`).
     *
     * @param array<string, string> $filter
     * @param \Closure(int): void $progress gets what was done so far
     *
     * @return array{done: int, running: int}
     */
    public function each(string $command, array $filter, \Closure $progress): array
    {
        [$done, $running, $after] = [0, 0, 0];
        do {
            $answer = $this->control->request(['command' => $command, 'filter' => (object) $filter, 'after' => $after]);
            $done += $answer['done'];
            $running += $answer['running'] ?? 0;
            $progress($done);
            $after = $answer['next'] ?? null;
        } while ($after !== null);

        return ['done' => $done, 'running' => $running];
    }

    /**
     * Does something to these.
     *
     * @param list<int> $cursors
     *
     * @return array{done: int, running: int}
     */
    public function these(string $command, array $cursors): array
    {
        $answer = $this->control->request(['command' => $command, 'cursors' => $cursors]);

        return ['done' => $answer['done'], 'running' => $answer['running'] ?? 0];
    }

    /**
     * Takes letters in; how many.
     *
     * @param list<array<string, mixed>> $letters
     */
    public function import(array $letters): int
    {
        return $this->control->request(['command' => 'failed_import', 'letters' => $letters])['done'];
    }

    /**
     * How many there are.
     *
     * @param 'dead'|'pending'|'reserved'|'parked' ...$states
     */
    public function count(string ...$states): int
    {
        $backlog = $this->control->request(['command' => 'status'])['backlog'];

        return array_sum(array_intersect_key($backlog, array_flip($states)));
    }
}
