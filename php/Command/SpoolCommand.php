<?php

declare(strict_types=1);

namespace Proletarier\Command;

use Symfony\Component\Console\Input\InputInterface;

/**
 * Shows what no daemon has taken yet, and hands it over or discards it. Works on the files, with a daemon or without.
 */
final class SpoolCommand extends ActionCommand
{
    protected const NAME = 'spool';
    protected const DESCRIPTION = 'Show the events of this machine that no daemon has taken yet, hand them over, discard them';
    protected const HELP = <<<'TEXT'
        Where no daemon answers in time, clients write their events to the spool. A daemon takes them from there by itself; by hand it is
        needed where the spool is to go to a daemon on another machine, or is to be emptied.
        TEXT;
    protected const ACTIONS = [
        'list' => 'the events, the oldest first',
        'show' => 'all that is known of an event',
        'drain' => 'hand all of them to the daemon that is there',
        'discard' => 'delete them: no listener gets them',
    ];
    protected const EXAMPLES = ['', 'show 0190f3a2-...', 'drain', 'discard 0190f3a2-...', 'discard --all'];
    private const NOUNS = ['event', 'spooled events'];

    protected function act(string $action, InputInterface $input, Screen $screen): int
    {
        $spool = $this->container->get('Proletarier\Spool');
        $selection = Selection::of($input);
        $json = $input->getOption('json');
        $listing = new Listing($screen, self::NOUNS[1]);

        return match ($action) {
            'list' => $listing->list(
                array_map(
                    static fn (array $filter) => self::pages($spool, $filter, Listing::limit($input), $input->getOption('params')),
                    $selection->filters()
                ),
                SpooledEvent::HEADINGS,
                SpooledEvent::row(...),
                $json,
                !$selection->isEverything()
            ),
            'show' => $listing->show(
                array_map(static fn (array $filter) => self::pages($spool, $filter, PHP_INT_MAX, true), $selection->byId()),
                SpooledEvent::show(...),
                $json
            ),
            'drain' => $this->drain($spool, $screen, $json),
            'discard' => $this->discard($spool, $selection->required('discard'), $screen, $json),
        };
    }

    /**
     * @param array<string, string> $filter
     *
     * @return \Generator<int, list<array<string, mixed>>, void, bool> returns whether there may be more
     */
    private static function pages(object $spool, array $filter, int $limit, bool $params): \Generator
    {
        $after = 0;
        while ($limit > 0) {
            $answer = $spool->request('list', ['after' => $after, 'limit' => min(100, $limit), 'params' => $params] + $filter);
            if ($answer['records'] !== []) {
                yield $answer['records'];
            }
            $limit -= count($answer['records']);
            $after = $answer['next'] ?? null;
            if ($after === null) {
                return false;
            }
        }

        return true;
    }

    private function drain(object $spool, Screen $screen, bool $json): int
    {
        $result = $spool->request('drain');
        if ($json) {
            $screen->json($result);
        } else {
            $screen->say(sprintf('%s handed over, %s left.', number_format($result['sent']), number_format($result['left'])));
        }
        if (($result['reason'] ?? null) !== null) {
            $screen->note(Screen::line($result['reason']));
        }
        if (($result['too_large'] ?? 0) > 0) {
            $screen->note(sprintf(
                '%s larger than broker.max_message_size, and set aside in the directory damaged of the spool.',
                number_format($result['too_large']) . ($result['too_large'] === 1 ? ' is' : ' are')
            ));
        }
        self::tellSetAside($result, $screen);

        return match (true) {
            $result['left'] > 0 => 1,
            $result['sent'] === 0 => self::NOTHING,
            default => 0,
        };
    }

    private function discard(object $spool, Selection $selection, Screen $screen, bool $json): int
    {
        if ($selection->ids === [] && !$screen->agrees('Discard all spooled events? No listener will get them.')) {
            return 1;
        }
        [$done, $missing] = [0, []];
        foreach ($selection->filters() as $filter) {
            $result = $spool->request('discard', $filter === [] ? ['all' => true] : $filter);
            self::tellSetAside($result, $screen);
            $found = $result['done'];
            $done += $found;
            if ($found === 0 && $filter !== []) {
                $missing[] = $filter['id'];
            }
        }

        return Change::tell($screen, ['done' => $done, 'running' => 0, 'missing' => $missing], 'discarded', self::NOUNS, $json);
    }

    /**
     * What could not be read, and where it is now.
     *
     * @param array<string, mixed> $result
     */
    private static function tellSetAside(array $result, Screen $screen): void
    {
        foreach ($result['set_aside'] ?? [] as $words) {
            $screen->note(Screen::line($words));
        }
    }
}
