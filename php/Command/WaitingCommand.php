<?php

declare(strict_types=1);

namespace Proletarier\Command;

use Symfony\Component\Console\Input\InputInterface;

/**
 * Shows what waits in the daemon's store, and takes it back.
 */
final class WaitingCommand extends ActionCommand
{
    protected const NAME = 'waiting';
    protected const DESCRIPTION = 'Show what waits, runs or is delayed, and cancel it';
    protected const HELP = <<<'TEXT'
        What the daemon has taken and not finished: pending (as soon as a worker is free), running, or delayed (until it is due, also a
        retry). What runs cannot be cancelled.
        TEXT;
    protected const ACTIONS = [
        'list' => 'the events, the oldest first',
        'show' => 'all that is known of an event',
        'cancel' => 'take them back: no listener gets them',
        'purge' => 'the same by a filter only, as for personal data; failed and spool have the like',
    ];
    protected const EXAMPLES = [
        '--name=report.asked',
        'show 0190f3a2-...',
        'cancel 0190f3a2-...',
        'purge --name="newsletter.*"',
    ];
    private const NOUNS = ['event', 'waiting events'];

    protected function configure(): void
    {
        parent::configure();
        Selection::declare($this, ['name', 'id', 'listener', 'text']);
    }

    protected function act(string $action, InputInterface $input, Screen $screen): int
    {
        $requests = new Requests($this->container->get('Proletarier\Control'));
        $selection = Selection::of($input);
        $json = $input->getOption('json');
        $listing = new Listing($screen, self::NOUNS[1]);
        $pages = static fn (array $filter, int $limit, bool $params): \Generator
            => $requests->pages('waiting', 'events', $filter, $limit, ['params' => $params]);

        return match ($action) {
            'list' => $listing->list(
                array_map(
                    static fn (array $filter) => $pages($filter, Listing::limit($input), $input->getOption('params')),
                    $selection->filters()
                ),
                WaitingEvent::HEADINGS,
                WaitingEvent::row(...),
                $json,
                !$selection->isEverything()
            ),
            'show' => $listing->show(
                array_map(static fn (array $filter) => $pages($filter, PHP_INT_MAX, true), $selection->byId()),
                WaitingEvent::show(...),
                $json
            ),
            'cancel' => $this->cancel($selection->required('cancel'), $requests, $input, $screen),
            'purge' => $this->cancel($selection->filtered('purge', 'cancel'), $requests, $input, $screen),
        };
    }

    private function cancel(Selection $selection, Requests $requests, InputInterface $input, Screen $screen): int
    {
        if ($selection->ids === [] && !$screen->agrees("Cancel {$selection->words(self::NOUNS[1])}? No listener will get them.")) {
            return 1;
        }
        $change = new Change($requests, $screen, 'waiting', 'events');
        $all = $selection->isEverything() ? $requests->count('pending', 'parked') : 0;
        $result = $change->make('waiting_cancel', $selection, Listing::limit($input, null), $all);

        return Change::tell($screen, $result, 'cancelled', self::NOUNS, $input->getOption('json'));
    }
}
