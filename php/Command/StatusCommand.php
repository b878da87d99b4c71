<?php

declare(strict_types=1);

namespace Proletarier\Command;

use Proletarier\Exception\BrokerUnavailable;
use Proletarier\Exception\InvalidArgument;
use Symfony\Component\Console\Command\Command;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Input\InputOption;
use Symfony\Component\Console\Output\OutputInterface;

/**
 * Shows how the daemon is: what its processes do, its queues, what waits and what failed. `--quiet` is a health check.
 */
final class StatusCommand extends Command
{
    /** Clears the terminal, and goes to its beginning. */
    private const CLEAR = "\e[H\e[2J";

    /**
     * @param object $container the application's, with get() and has()
     */
    public function __construct(private object $container)
    {
        parent::__construct('status');
    }

    protected function configure(): void
    {
        $this
            ->setDescription('Show how the daemon is: processes, queues, what waits and what failed')
            ->setHelp(<<<'TEXT'
                With <info>--quiet</info> nothing is printed, and the exit status is the answer, as for the health check of a container.

                <comment>Exit status:</comment>
                  0  the daemon runs, and has workers that are ready
                  1  it does not run, or has no worker that is ready; the reason is on stderr
                TEXT)
            ->addOption('watch', 'w', InputOption::VALUE_OPTIONAL, 'Again and again, each second or as many seconds as are given', false)
            ->addOption('json', 'j', InputOption::VALUE_NONE, 'For programs: all of it, as a line of JSON')
            ->addUsage('--watch')
            ->addUsage('--quiet');
    }

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        $pause = self::pause($input->getOption('watch'));
        $screen = new Screen($input, $output);
        do {
            try {
                $status = $this->container->get('Proletarier\Control')->request(['command' => 'status']);
                $lines = $input->getOption('json') ? null : new StatusPage($screen);
                if ($lines !== null && $pause !== null && $screen->width() !== null) {
                    $output->write(self::CLEAR, false, OutputInterface::OUTPUT_RAW);
                }
                $lines === null ? $screen->json(['processes' => Processes::of($status)] + $status) : $lines->show($status);
                $exit = $status['workers'] > 0 ? 0 : 1;
            } catch (BrokerUnavailable $absent) {
                if ($pause === null) {
                    throw $absent;
                }
                // Who watches wants to see it come back.
                $screen->note($absent->getMessage());
                $exit = 1;
            }
            if ($pause !== null) {
                usleep((int) ($pause * 1e6));
            }
        } while ($pause !== null);
        if ($exit !== 0) {
            $screen->note('The daemon runs, and none of its workers is ready.');
        }

        return $exit;
    }

    /** Seconds between two looks; null: one look. */
    private static function pause(string|null|false $watch): ?float
    {
        if ($watch === false) {
            return null;
        }
        $seconds = filter_var($watch ?? '1', FILTER_VALIDATE_FLOAT);
        if ($seconds === false || $seconds < 0.1 || $seconds > 3600) {
            throw new InvalidArgument("--watch: '$watch' is not allowed: give seconds from 0.1 to 3600");
        }

        return $seconds;
    }
}
