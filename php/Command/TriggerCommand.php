<?php

declare(strict_types=1);

namespace Proletarier\Command;

use Proletarier\Exception\InvalidArgument;
use Symfony\Component\Console\Command\Command;
use Symfony\Component\Console\Input\InputArgument;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Input\InputOption;
use Symfony\Component\Console\Output\OutputInterface;

/**
 * Triggers an event and prints its id. Confirmed by the broker unless --confirm says otherwise: whoever types a command wants to know.
 */
final class TriggerCommand extends Command
{
    private const HELP = <<<'TEXT'
        Prints the id of the event. With --wait also what became of it: "handled", once all of its listeners have succeeded, or "failed", with
        the listener and its error.

        <comment>Exit status:</comment>
          0  triggered; with --wait: handled
          1  failed; the reason is on stderr, with --wait on stdout
          2  with --wait: not over yet; the event goes on
        TEXT;

    /**
     * @param object $container the application's, with get() and has()
     */
    public function __construct(private object $container)
    {
        parent::__construct('trigger');
    }

    protected function configure(): void
    {
        $this
            ->setDescription('Trigger an event and print its id')
            ->setHelp(self::HELP)
            ->addArgument('event', InputArgument::REQUIRED, 'The name of the event')
            ->addArgument('params', InputArgument::OPTIONAL, 'Its params: a JSON object; - reads them from stdin', '{}')
            ->addOption('confirm', null, InputOption::VALUE_REQUIRED, 'none, deferred, accepted or synced', 'accepted')
            ->addOption('delay', null, InputOption::VALUE_REQUIRED, 'Seconds until it is due')
            ->addOption('at', null, InputOption::VALUE_REQUIRED, 'When it is due, such as "2030-01-31 08:00" or "tomorrow 8:00"')
            ->addOption('expires', null, InputOption::VALUE_REQUIRED, 'Seconds, or a time as for --at, after which it is not started')
            ->addOption('queue', null, InputOption::VALUE_REQUIRED, 'The queue it goes to')
            ->addOption('priority', null, InputOption::VALUE_REQUIRED, 'Within its queue: high, normal or low')
            ->addOption('key', null, InputOption::VALUE_REQUIRED, 'Events with the same key are handled one after the other')
            ->addOption('unique', null, InputOption::VALUE_REQUIRED, 'Not taken while an event with the same one waits or runs, whose id is printed')
            ->addOption('unique-for', null, InputOption::VALUE_REQUIRED, 'Seconds that --unique is held at most, from when the event is due (a day)')
            ->addOption('id', null, InputOption::VALUE_REQUIRED, 'An id of your own')
            ->addOption('header', null, InputOption::VALUE_REQUIRED | InputOption::VALUE_IS_ARRAY, 'A header: name=value. Can be repeated')
            ->addOption('wait', 'w', InputOption::VALUE_OPTIONAL, 'Wait, so many seconds at most (60), and print what became of it', false)
            ->addUsage('account.created \'{"id": 7}\'')
            ->addUsage('report.asked --wait=120')
            ->addUsage('newsletter.send --at="tomorrow 8:00" --unique=newsletter');
    }

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        $params = self::params($input->getArgument('params'));
        $options = array_filter(self::options($input), static fn ($value) => $value !== null);
        $client = $this->container->get('Proletarier\ClientInterface');
        $screen = new Screen($input, $output);
        $name = $input->getArgument('event');
        if ($input->getOption('wait') === false) {
            $screen->say(self::trigger($client, $screen, $name, $params, $options));

            return self::SUCCESS;
        }
        if (in_array($options['confirm'], ['none', 'deferred'], true)) {
            throw new InvalidArgument("--wait: it needs --confirm=accepted, the default, or synced, not {$options['confirm']}");
        }
        $outcome = new Outcome($this->container->get('Proletarier\Control'), $screen, self::seconds($input->getOption('wait')));
        // Watched before it is triggered: what is handled at once would be over before anybody asks.
        $options['id'] ??= Outcome::id();
        $outcome->watch($options['id']);
        $spooled = $client->spooled();
        $id = self::trigger($client, $screen, $name, $params, $options);
        $screen->say($id);
        if ($id !== $options['id']) {
            $screen->note("An event with this unique key waits or runs already: $id.");
            $outcome->watch($id);
        }

        return $outcome->await($id, $client->spooled() > $spooled);
    }

    /**
     * @param array<array-key, mixed> $params
     * @param array<string, mixed> $options
     */
    private static function trigger(object $client, Screen $screen, string $name, array $params, array $options): string
    {
        $spooled = $client->spooled();
        $id = $client->trigger($name, $params, $options);
        if ($client->spooled() > $spooled) {
            $screen->note('No daemon has answered: the event is in the spool, and is handled once one is there.');
        }

        return $id;
    }

    /**
     * @return array<array-key, mixed>
     */
    private static function params(string $json): array
    {
        $json = $json === '-' ? stream_get_contents(STDIN) : $json;
        $params = json_decode($json, true);
        if (!is_array($params)) {
            throw new InvalidArgument(sprintf("params: '%s' is no JSON object: give one such as '{\"id\": 7}'", Screen::line($json)));
        }

        return $params;
    }

    /**
     * @return array<string, mixed> of trigger(); null means not given
     */
    private static function options(InputInterface $input): array
    {
        $number = static fn (?string $value) => is_numeric($value) ? (float) $value : $value;
        $expires = $number($input->getOption('expires'));
        $options = [
            'confirm' => $input->getOption('confirm'),
            'delay' => $number($input->getOption('delay')),
            'at' => self::moment('at', $input->getOption('at')),
            'expires' => is_string($expires) ? self::moment('expires', $expires) : $expires,
        ];
        foreach (['queue', 'priority', 'key', 'unique', 'id'] as $name) {
            $options[$name] = $input->getOption($name);
        }
        $options['unique_for'] = $number($input->getOption('unique-for'));
        foreach ($input->getOption('header') as $header) {
            [$name, $value] = explode('=', $header, 2) + [1 => null];
            if ($value === null || $name === '') {
                throw new InvalidArgument("--header: '$header' is not allowed: give name=value");
            }
            $options['headers'][$name] = $value;
        }

        return $options;
    }

    private static function moment(string $option, ?string $text): ?\DateTimeImmutable
    {
        try {
            return $text === null ? null : new \DateTimeImmutable($text);
        } catch (\Exception) {
            throw new InvalidArgument("--$option: '$text' is not allowed: give a time such as '2030-01-31 08:00' or 'tomorrow 8:00'");
        }
    }

    private static function seconds(?string $text): float
    {
        return match (true) {
            $text === null => Outcome::SECONDS,
            is_numeric($text) && (float) $text > 0 && (float) $text < PHP_INT_MAX => (float) $text,
            default => throw new InvalidArgument("--wait: '$text' is not allowed: give seconds, more than 0"),
        };
    }
}
